#!/bin/sh
# Lists what a machine has for TensorFlow on a GPU, as lines of the form `KEY<tab>VALUE`. Needs only a POSIX shell, so that it
# runs on a machine before anything is installed there. A key may occur several times. Usage: sh machine.sh
line() { printf '%s\t%s\n' "$1" "$2"; }
have() { command -v "$1" >/dev/null 2>&1; }

line system "$(uname -sm)"
line glibc "$(getconf GNU_LIBC_VERSION 2>/dev/null)"
line cores "$(getconf _NPROCESSORS_ONLN 2>/dev/null)"
line memory "$(awk '/^MemTotal/ {printf "%.0f MiB", $2 / 1024}' /proc/meminfo 2>/dev/null)"
line disk "$(df -Pm . 2>/dev/null | awk 'NR == 2 {print $4 " MiB free"}')"
if have nvidia-smi; then
  nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader 2>/dev/null |
    while IFS= read -r gpu; do line gpu "$gpu"; done
fi
for tool in node npm make g++ nvcc tar gzip xz sha256sum; do
  have "$tool" && line tool "$tool: $("$tool" --version 2>/dev/null | grep -m 1 '[0-9]')"
done

# The libraries that TensorFlow opens, wherever they are: in the loader's cache, in CUDA's folder, and in Python's packages.
{
  ldconfig -p 2>/dev/null | sed -n 's/.*=> //p'
  for folder in /usr/local/cuda*/lib64 /usr/local/cuda*/targets/*/lib; do
    [ -d "$folder" ] && find "$folder" -maxdepth 1 -name 'lib*.so.*'
  done
  if have python3; then
    python3 -c 'import site; print("\n".join([*site.getsitepackages(), site.getusersitepackages()]))' 2>/dev/null |
      while IFS= read -r folder; do
        [ -d "$folder/nvidia" ] && find "$folder/nvidia" -name 'lib*.so.*'
        [ -d "$folder/tensorflow" ] && find "$folder/tensorflow" -maxdepth 1 -name 'libtensorflow*'
      done
  fi
} | grep -E '/lib(cuda|cudart|cublas|cublasLt|cufft|cusolver|cusparse|nvJitLink|cudnn|curand|nccl|tensorflow[a-z_]*)\.so\.[0-9]+$' |
  sort -u | while IFS= read -r path; do line library "$path"; done

if have python3; then
  line python "$(python3 --version 2>&1) at $(command -v python3)"
  python3 - <<'PYTHON' 2>/dev/null
from importlib.metadata import PackageNotFoundError, version
for name in ("torch", "triton", "tensorflow", "tensorflow-cpu", "jax", "pip", "numpy"):
    try:
        print(f"package\t{name} {version(name)}")
    except PackageNotFoundError:
        pass
PYTHON
fi
exit 0

"""Lists the operations for which a build of libtensorflow has no GPU kernel. Needs no GPU.

    python3 kernels.py FOLDER < OPERATIONS

FOLDER contains libtensorflow_cc.so.2 and libtensorflow_framework.so.2. Each line of OPERATIONS has the name of an operation
and its types: `Slice T=9 Index=3` (numbers of TensorFlow's DataType). Prints each line whose operation has no GPU kernel for
its types, and then the version and the number of lines, such as `TensorFlow 2.18.1: 60 operations`.
"""

import ctypes
import os
import sys


class Buffer(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("length", ctypes.c_size_t), ("release", ctypes.c_void_p)]


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def fields(data):
    """Yields the number and the value of each field of a protobuf message. A value is an int or bytes."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 2:
            length, at = varint(data, at)
            yield key >> 3, data[at : at + length]
            at += length
        elif key & 7 == 0:
            value, at = varint(data, at)
            yield key >> 3, value
        else:
            raise ValueError(f"unexpected wire type {key & 7}")


def numbers(value):
    """Returns the integers in the value of a repeated integer field, packed or not."""
    if isinstance(value, int):
        return [value]
    found, at = [], 0
    while at < len(value):
        number, at = varint(value, at)
        found.append(number)
    return found


def constraint(data):
    """Returns the name and the allowed types of a KernelDef.AttrConstraint."""
    name, types = "", set()
    for number, value in fields(data):
        if number == 1:
            name = value.decode()
        elif number == 2:  # AttrValue, with a list (1) of types (6)
            for inner, listed in fields(value):
                if inner == 1:
                    types.update(t for n, v in fields(listed) if n == 6 for t in numbers(v))
    return name, types


def kernels(library, status, operation):
    """Yields the device and the constraints of each kernel of an operation."""
    buffer = library.TF_GetRegisteredKernelsForOp(operation.encode(), status).contents
    for _, kernel in fields(ctypes.string_at(buffer.data, buffer.length)):
        device, constraints = "", []
        for number, value in fields(kernel):
            if number == 2:
                device = value.decode()
            elif number == 3:
                constraints.append(constraint(value))
        yield device, constraints


def main():
    folder = sys.argv[1]
    for name in ("libtensorflow_framework.so.2", "libtensorflow_cc.so.2"):
        library = ctypes.CDLL(os.path.join(folder, name), mode=ctypes.RTLD_GLOBAL)
    library.TF_NewStatus.restype = ctypes.c_void_p
    library.TF_Version.restype = ctypes.c_char_p
    library.TF_GetRegisteredKernelsForOp.restype = ctypes.POINTER(Buffer)
    library.TF_GetRegisteredKernelsForOp.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    status = library.TF_NewStatus()
    lines = [line.strip() for line in sys.stdin if line.strip()]
    for line in lines:
        operation, *given = line.split()
        types = {name: int(value) for name, value in (each.split("=") for each in given)}

        def fits(device, constraints):
            # TensorFlow uses kernels of the device DEFAULT on every device.
            allowed = all(types[name] in values for name, values in constraints if name in types)
            return device in ("GPU", "DEFAULT") and allowed

        if not any(fits(*kernel) for kernel in kernels(library, status, operation)):
            print(line)
    print(f"TensorFlow {library.TF_Version().decode()}: {len(lines)} operations")


main()

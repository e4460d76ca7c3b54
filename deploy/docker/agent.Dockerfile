# The agent. The first command builds an image with TensorFlow's native library for NVIDIA GPUs, CUDA 12 and cuDNN 9.
# The second command builds an image that uses only the CPU.
#   docker build -f deploy/docker/agent.Dockerfile -t trawl-agent .
#   docker build -f deploy/docker/agent.Dockerfile -t trawl-agent:cpu --build-arg NATIVE=--cpu --build-arg BASE=ubuntu:22.04 .
ARG BASE=nvidia/cuda:12.5.1-base-ubuntu22.04

FROM node:24-bookworm-slim AS node

FROM ${BASE} AS build
ARG NATIVE=--cuda
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates g++ make python3 python3-pip \
  && rm -rf /var/lib/apt/lists/*
COPY --from=node /usr/local /usr/local
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
# The packages link to the library, so its path must be the same in the final image.
ENV XDG_CACHE_HOME=/opt/cache
RUN npm run build && node deploy/native.mjs ${NATIVE} && npm prune --omit=dev

FROM ${BASE}
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates python3 \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --uid 1000 --create-home trawl \
  && mkdir /data \
  && chown trawl:trawl /data
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY --from=build /opt/cache/trawl/libtensorflow /opt/cache/trawl/libtensorflow
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY --from=build /app/bin/trawl.mjs bin/trawl.mjs
COPY --from=build /app/deploy/setup deploy/setup
COPY --from=build /app/proto/trawl proto/trawl
USER trawl
VOLUME /data
EXPOSE 9465
# /data holds spooled records and data sets.
ENV TRAWL_DATA=/data/datasets
# The check does not use /readyz, which also fails during an outage of NATS. A restart would then end running trials
# without repairing the outage.
HEALTHCHECK --interval=10s --start-period=120s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9465/healthz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/bin/trawl.mjs"]
CMD ["agent", "--dir", "/data/agent", "--workdir", "/data", "--metrics", "0.0.0.0:9465", "--insecure"]

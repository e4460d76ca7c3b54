# The coordinator, and all other commands that need no GPU.
#   docker build -f deploy/docker/coordinator.Dockerfile -t trawl-coordinator .
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
RUN npm run build && npm prune --omit=dev

FROM node:24-bookworm-slim
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY --from=build /app/bin/trawl.mjs bin/trawl.mjs
COPY --from=build /app/deploy/setup deploy/setup
COPY --from=build /app/coordinator/search/optuna/sampler.py coordinator/search/optuna/sampler.py
COPY --from=build /app/proto/trawl proto/trawl
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 7070 9464
# The check does not use /readyz, which also fails during an outage of NATS. A restart would not repair the outage.
HEALTHCHECK --interval=10s --start-period=60s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9464/healthz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# /data holds sweeps, results and artifacts. For --insecure, see "Network access" in docs/deploy.md.
ENTRYPOINT ["node", "/app/bin/trawl.mjs"]
CMD ["coordinator", "--dir", "/data", "--listen", "0.0.0.0:7070", "--metrics", "0.0.0.0:9464", "--insecure"]

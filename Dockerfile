# Node runs the TypeScript as it is, so there is nothing to build. In the container the root file system can be read-only:
# everything that is written goes to /data. See manifests/compose.yaml for the flags.
FROM node:24-slim

ENV NODE_ENV=production \
    ROOM137_DATABASE_URL=file:/data/room137.db \
    HOST=0.0.0.0 \
    PORT=1370

WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# No package needs its install script here: the project's own Node is a development dependency, the image brings one.
RUN npm ci --omit=dev --ignore-scripts && npm cache clean --force \
    && ln -s /app/bin/room137.js /usr/local/bin/room137 \
    && mkdir /data && chown 65532:65532 /data
COPY LICENSE ./
COPY bin ./bin
COPY handlers ./handlers
COPY manifests/slack-app.socket.yaml ./manifests/
COPY src ./src

# Where ./room137.yaml is looked for.
WORKDIR /etc/room137
USER 65532:65532
VOLUME /data
EXPOSE 1370
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/healthz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/bin/room137.js"]
CMD ["start"]

# syntax=docker/dockerfile:1
# A small image that runs `edgeproxy dev`. Mount the project at /project:
#   docker run --rm -p 127.0.0.1:8080-8090:8080-8090 -v "$PWD:/project" edgeproxy template.yaml
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY edgeproxy ./edgeproxy
RUN python -m venv /opt/edgeproxy \
 && /opt/edgeproxy/bin/pip install --no-cache-dir '.[geo,node,redis,uvloop]'

FROM python:3.13-slim
COPY --from=build /opt/edgeproxy /opt/edgeproxy
ENV PATH=/opt/edgeproxy/bin:$PATH \
    PYTHONUNBUFFERED=1
RUN useradd --create-home --uid 10001 edge
USER 10001
WORKDIR /project
# 8080 viewers, 8081 control, from 8082 function URLs and load balancers.
EXPOSE 8080-8090
# Inside a container the doors must listen on all addresses to be reachable from outside;
# publish the ports on 127.0.0.1 of the host.
ENTRYPOINT ["edgeproxy", "dev", "--host", "0.0.0.0", "--control-host", "0.0.0.0", "--state-dir", "/tmp/edgeproxy"]

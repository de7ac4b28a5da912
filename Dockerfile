# One image for all services of docker-compose.yml but the database. What builds it does not get into it.
FROM python:3.12-slim-bookworm AS build
RUN python -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir 'uv>=0.9,<1' && python -m venv --without-pip /opt/nh
ENV PATH=/opt/uv/bin:$PATH VIRTUAL_ENV=/opt/nh UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1
WORKDIR /source
COPY requirements.lock requirements-deploy.lock ./
RUN uv pip install --require-hashes -r requirements-deploy.lock
COPY pyproject.toml README.md LICENSE ./
COPY deploy/aws deploy/aws
COPY nh_pipeline nh_pipeline
COPY dashboard dashboard
RUN uv pip install --no-deps --build-constraints requirements.lock .

FROM python:3.12-slim-bookworm
RUN python -m pip uninstall --quiet --yes pip && useradd --uid 10001 --create-home nh && install -d -o nh -g nh /lake /deliveries
COPY --from=build /opt/nh /opt/nh
COPY deploy/dagster /opt/dagster
ENV PATH=/opt/nh/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DAGSTER_HOME=/opt/dagster \
    DAGSTER_FILES=/lake/dagster \
    DAGSTER_LOGS=/lake/dagster/storage \
    DAGSTER_EVENT_BATCH_SIZE=1000 \
    NH_HOME=/lake \
    NH_SOURCE=/deliveries
USER nh
WORKDIR /opt/dagster
CMD ["nh", "--help"]

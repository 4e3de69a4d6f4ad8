#!/usr/bin/env bash
# Entry point of the stand-in for MinIO's image: SeaweedFS at the same port, with the same account.
set -euo pipefail
[ "$1" = server ]
export AWS_ACCESS_KEY_ID=$MINIO_ROOT_USER AWS_SECRET_ACCESS_KEY=$MINIO_ROOT_PASSWORD
cd /tmp
exec weed -logtostderr mini -dir="$2" -ip=127.0.0.1 -ip.bind=0.0.0.0 -s3.port=9000 -master.port=9001 -volume.port=9002 -filer.port=9003 \
    -admin.port=9004 -s3.localSocket=/tmp/s3.sock -disableHttp -admin.ui=false -webdav=false -s3.port.iceberg=0 -s3.port.lance=0 \
    -s3.autoCreateBucket=false -s3.allowedOrigins='*' -master.telemetry=false -volume.preStopSeconds=0

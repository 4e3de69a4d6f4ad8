"""Checks scripts/deploy against this repository: settings, programs, ports and accounts, which no schema can check.

Reads the programs of the workspace from standard input, one on each line, and the ports of the local servers from the environment. Prints
what is wrong, and then exits with an error.
"""

import os
import re
import sys
import tomllib
from pathlib import Path

import yaml
from documents import anchors

DEPLOY = Path("scripts/deploy")
problems = []


def check(holds, problem):
    if not holds:
        problems.append(problem)


programs = {line.strip() for line in sys.stdin if line.strip()}
# What the guide and scripts/dousheng.sh tell an operator to run.
operators = {"migrate", "reconcile", "reap", "moderate", "config"}
services = {"api", "user", "video", "transcoder", "favorite", "comment", "relation", "message"}
sections = tomllib.loads(Path("pkg/settings/defaults.toml").read_text())
variables = {
    f"DOUSHENG_{section}__{key}".upper() if isinstance(keys, dict) else f"DOUSHENG_{section}".upper()
    for section, keys in sections.items()
    for key in (keys if isinstance(keys, dict) else [section])
}

# Whatever is set is a setting; the guide also names variables of the scripts.
of_scripts = set(re.findall(r"DOUSHENG_[A-Z_0-9]+", Path("scripts/lib/settings.sh").read_text()))
for file in [DEPLOY / "Dockerfile", DEPLOY / "compose.yaml", DEPLOY / "README.md", *sorted((DEPLOY / "kubernetes").glob("*.yaml"))]:
    for variable in sorted(set(re.findall(r"DOUSHENG_[A-Z_0-9]+", file.read_text()))):
        # "DOUSHENG_OBJECT_STORE__*" stands for all of a section.
        known = variables | (of_scripts if file.suffix == ".md" else set())
        check(variable in known or variable.endswith("__"), f"{file}: {variable} is no setting of pkg/settings/defaults.toml")

# Each alert has a heading of the guide, which says what to do.
guide = anchors((DEPLOY / "README.md").read_text())
for rule in (rule for group in yaml.safe_load((DEPLOY / "alerts.yaml").read_text())["groups"] for rule in group["rules"]):
    check(rule["annotations"]["guide"] in guide, f"alerts.yaml: {rule['alert']}: README.md has no heading {rule['annotations']['guide']}")
    check(rule["alert"] in (DEPLOY / "README.md").read_text(), f"README.md: doesn't say what to do about {rule['alert']}")

# The workspace has the version; manifests and change log follow.
version = tomllib.loads(Path("Cargo.toml").read_text())["workspace"]["package"]["version"]
check(f"\n## {version}\n" in Path("CHANGELOG.md").read_text(), f"CHANGELOG.md: has no notes of {version}")
for file in [DEPLOY / "README.md", *sorted((DEPLOY / "kubernetes").glob("*.yaml"))]:
    for tag in re.findall(r"dousheng:([\d.]+)", file.read_text()):
        check(tag == version, f"{file}: the version is {version}, not {tag}")

# The image has every program, and only programs that there are.
dockerfile = (DEPLOY / "Dockerfile").read_text()
built = set(re.findall(r"--bin (\w+)", dockerfile))
copied = set(re.search(r"for program in ([\w ]+);", dockerfile).group(1).split())
check(built == copied, f"Dockerfile: builds {sorted(built)}, but takes {sorted(copied)} along")
check(built <= programs, f"Dockerfile: no such programs: {sorted(built - programs)}")
check(services | operators <= built, f"Dockerfile: lacks {sorted((services | operators) - built)}")
check(re.search(r"^USER [1-9]", dockerfile, re.MULTILINE), "Dockerfile: runs as root")
for source in re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE):
    for path in source.split():
        check(Path(path).exists(), f"Dockerfile: COPY {path}: there is no such file")

# Compose: the ports and the accounts of the local servers.
compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
ports = {"primary": "PRIMARY_PORT", "replica": "REPLICA_PORT", "etcd": "ETCD_PORT", "redis": "REDIS_PORT", "minio": "S3_PORT"}
wanted = {name: f"127.0.0.1:{os.environ[port]}" for name, port in ports.items()} | {"api": os.environ["API_LISTEN"]}
for name, service in compose["services"].items():
    published = [port.rsplit(":", 1)[0] for port in service.get("ports", [])]
    expected = [wanted[name]] if name in wanted else []
    check(published == expected, f"compose.yaml: {name} is published at {published}, the local one listens at {expected}")
    image = service["image"]
    check(":" in image and not image.endswith(":latest"), f"compose.yaml: {name}: the image {image} is not pinned")
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        check(not source.startswith(".") or (DEPLOY / source).exists(), f"compose.yaml: {name}: there is no {source}")
    for other in service.get("depends_on", {}):
        check(other in compose["services"], f"compose.yaml: {name} waits for {other}, which isn't there")
missing = (services | {"migrate"}) - set(compose["services"])
check(not missing, f"compose.yaml lacks {sorted(missing)}")
for secret in ("DOUSHENG_AUTH__JWT_KEYS", "DOUSHENG_RPC__SECRET"):
    given = compose["x-program"]["environment"][secret]
    check(given.startswith("${" + secret + ":?"), f"compose.yaml: without {secret} it should not start")
accounts = (DEPLOY / "compose" / "accounts.sql").read_text()
local = Path("scripts/lib/settings.sh").read_text()
for user, password in re.findall(r"CREATE USER '(\w+)'@'%' IDENTIFIED BY '([\w-]+)'", accounts):
    check(f"={user}\n" in local and f"={password}\n" in local, f"accounts.sql: {user} is another one in scripts/lib/settings.sh")

# Kubernetes: one image, rolled without a gap, probed where the admin port is, in one namespace.
images = set()
found = set()
for file in sorted((DEPLOY / "kubernetes").glob("*.yaml")):
    for manifest in yaml.safe_load_all(file.read_text()):
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        where = f"{file}: {kind} {name}"
        check(kind == "Namespace" or manifest["metadata"].get("namespace") == "dousheng", f"{where}: not in the namespace dousheng")
        if kind not in ("Deployment", "Job"):
            continue
        found.add(name)
        pod = manifest["spec"]["template"]["spec"]
        [container] = pod["containers"]
        images.add(container["image"])
        check(container["command"][0] in built, f"{where}: the image has no {container['command'][0]}")
        check("memory" in container["resources"]["limits"] and "cpu" in container["resources"]["requests"], f"{where}: no resources")
        check(pod["securityContext"].get("runAsNonRoot"), f"{where}: may run as root")
        check(container["securityContext"]["allowPrivilegeEscalation"] is False, f"{where}: may gain privileges")
        if kind == "Deployment":
            labels = manifest["spec"]["template"]["metadata"]["labels"]
            check(manifest["spec"]["selector"]["matchLabels"].items() <= labels.items(), f"{where}: selects other pods")
            check(manifest["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0, f"{where}: rolled with a gap")
            check(pod["terminationGracePeriodSeconds"] > 35, f"{where}: killed before it has stopped (35 s)")
            names = {port["name"] for port in container["ports"]}
            # The API's pods must not all be taken out by what they share.
            ready = ("startupProbe", "/readyz") if name == "api" else ("readinessProbe", "/readyz")
            live = [("livenessProbe", "/healthz")] + [("readinessProbe", "/healthz")] * (name == "api")
            for probe, path in [ready, *live]:
                get = container[probe]["httpGet"]
                check(get["path"] == path and get["port"] in names, f"{where}: {probe} asks {get}")
check(services | {"migrate"} <= found, f"kubernetes: lacks {sorted((services | {'migrate'}) - found)}")
check(len(images) == 1, f"kubernetes: several images: {sorted(images)}")

for problem in problems:
    print(problem, file=sys.stderr)
sys.exit(bool(problems))

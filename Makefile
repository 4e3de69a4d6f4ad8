# What there is to type. The work is done by scripts/; settings of theirs: scripts/README.md.
.DEFAULT_GOAL := help
.PHONY: help run-all stop status logs config reset seed reconcile reap roll test bench soak chaos fuzz lint idl

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run-all: ## install what is missing, build, start everything, wait until it is healthy
	@scripts/dousheng.sh start

stop: ## stop the services, then the servers; the data stays
	@scripts/dousheng.sh stop

status: ## what is up, and where
	@scripts/dousheng.sh status

logs: ## follow the logs of all services, or of one: make logs s=user-1
	@scripts/dousheng.sh logs $(s)

config: ## the settings that the services run with, secrets masked, and where each came from
	@scripts/dousheng.sh config

reset: ## stop everything and delete its data
	@scripts/dousheng.sh reset

seed: ## sample users and videos in the running system
	@scripts/seed.sh

reconcile: ## compare every count with its rows; ARGS=--fix mends them
	@scripts/dousheng.sh reconcile $(ARGS)

reap: ## remove what killed uploads left behind: objects, unfinished uploads, old idempotency keys
	@scripts/dousheng.sh reap

roll: ## renew every process, one at a time; LOAD=300 under so many requests a second
	@scripts/dousheng.sh roll $(LOAD)

test: ## all tests on servers of their own; some: make test ARGS='--workspace --test dal'
	@scripts/test.sh $(ARGS)

soak: ## likes and comments under every fault at full size; some: make soak ARGS=folder
	@scripts/soak.sh $(ARGS)

chaos: ## servers and processes killed under load, as a table; some: make chaos ARGS=pairs
	@scripts/chaos.sh $(ARGS)

fuzz: ## schemathesis against the document: 10,000 generated requests, minutes; some: make fuzz ARGS='--include-operation-id feed'
	@scripts/fuzz.sh $(ARGS)

bench: ## likes per second, and what reading what was written costs, as ratios (upload memory: scripts/upload-memory.sh)
	@scripts/bench.sh

lint: ## formatting, clippy, shellcheck, the rooms
	@scripts/lint.sh

idl: ## generate from idl/*.thrift and say where the code lies
	@scripts/idl.sh

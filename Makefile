# What there is to type. The work is done by scripts/; settings of theirs: scripts/README.md.
.DEFAULT_GOAL := help
.PHONY: help run-all stop status logs config reset seed reconcile reap roll test deploy-test interop bench soak chaos fuzz web lint idl

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

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

reset: ## stop everything and delete its data; asks before (YES=1: no question)
	@scripts/dousheng.sh reset

seed: ## sample users and videos in the running system
	@scripts/seed.sh

reconcile: ## compare every count with its rows; ARGS=--fix corrects them
	@scripts/dousheng.sh reconcile $(ARGS)

reap: ## remove what killed uploads left behind; ARGS=--adopt if it refuses but bucket and database belong together
	@scripts/dousheng.sh reap $(ARGS)

roll: ## restart every process, one at a time; LOAD=300 with a load of 300 requests a second
	@scripts/dousheng.sh roll $(LOAD)

test: ## run all tests, on servers of their own; a part: make test ARGS='--workspace --test dal'
	@scripts/test.sh $(ARGS)

deploy-test: ## as root: the install step on bare systems, what a phone in the network reaches, the containers; an hour
	@scripts/install-test.sh
	@scripts/open-test.sh
	@scripts/containers-test.sh

interop: ## a client and a service in Go, generated from idl/ by Kitex, with the real system; skipped where Go isn't installed
	@scripts/interop.sh

soak: ## run the model test at full size, with every fault; a part: make soak ARGS=the_folder
	@scripts/soak.sh $(ARGS)

chaos: ## kill servers and processes under load and print a table; a part: make chaos ARGS=pairs
	@scripts/chaos.sh $(ARGS)

fuzz: ## fuzz the parsers of untrusted input (cargo-fuzz, FUZZ_SECONDS each, 60), then the API (schemathesis, 10,000 requests); minutes
	@scripts/fuzz-targets.sh
	@scripts/fuzz.sh $(ARGS)

bench: ## benchmarks: routes, likes, read-your-writes, hostile clients, traces, capacity; some: make bench ARGS=routes
	@scripts/bench.sh $(ARGS)

web: ## build the web page at / (Node.js 20.19, 22.12 or newer, fetched where it is missing); run-all and test do it by themselves
	@scripts/web.sh

lint: ## formatting, clippy, shellcheck, the rooms, the files for deployment
	@scripts/lint.sh

idl: ## generate from idl/*.thrift and say where the code lies
	@scripts/idl.sh

# Runs everything there is here; what each target does is in `make help`.
# What it makes is under build/ and target/.

build_needs := cmake g++ pkg-config
test_needs := $(build_needs) libgtest-dev catch2 qt6-base-dev valgrind
bench_needs := $(build_needs) qt6-base-dev libuv1-dev libboost-dev libzmq3-dev libnng-dev

jobs ?= $(shell nproc)
prefix := build/prefix

# Where rustup puts cargo, for shells that do not know.
export PATH := $(PATH):$(HOME)/.cargo/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo test bench clean
# The parts use all processors themselves.
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

help:
	@echo 'make demo    build, install into build/prefix, build examples-cpp/ against that, run the exchange'
	@echo 'make test    run every test: Rust, C, C++, Qt and the installed package'
	@echo 'make proof   run the short forms of the proofs: docs/proofs.md says which there are, and their long forms'
	@echo 'make bench   measure Moorline and what others use side by side; args=--help tells the options'
	@echo 'make package   make Debian packages, a tar.gz and the crate; make package-test, package-test-conan try them'
	@echo 'make abi   compare the ABI with the recorded one; make abi-renew records it anew'
	@echo 'make licences   check the licences of all crates'
	@echo 'make docs   make the references in build/docs'
	@echo 'make cross-check   type-check the library for macOS, FreeBSD and Windows'
	@echo 'make setup   install what the others need (with apt, as root; else say what is missing)'
	@echo 'make clean   remove build/ and target/'
	@echo
	@echo 'Variables: jobs=N at most N at once; args=... arguments for the exchange or the benchmarks'

include tools/packages.mk

setup:
	@tools/setup $(sort $(test_needs) $(bench_needs))

demo:
	@tools/setup $(build_needs)
	@echo '== building the library'
	@cmake -S . -B build -DCMAKE_BUILD_TYPE=Release -DMOORLINE_BUILD_TESTS=OFF
	+@cmake --build build --parallel $(jobs)
	@rm -rf $(prefix)
	@cmake --install build --prefix $(prefix)
	@echo '== building examples-cpp against the install'
	@cmake -S examples-cpp -B build/examples -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$(CURDIR)/$(prefix)"
	+@cmake --build build/examples --parallel $(jobs)
	@echo '== the exchange'
	@build/examples/exchange $(args)

test: export QT_QPA_PLATFORM ?= offscreen
test:
	@tools/setup $(test_needs)
	@echo '== Rust tests'
	@cargo test --locked --workspace
	@echo '== building the C and C++ tests'
	@cmake -S . -B build -DCMAKE_BUILD_TYPE=Release -DMOORLINE_BUILD_TESTS=ON
	+@cmake --build build --parallel $(jobs)
	@echo '== C and C++ tests'
	@ctest --test-dir build --output-on-failure --no-tests=error --parallel $(jobs)

bench:
	@tools/setup $(bench_needs)
	@jobs=$(jobs) benches/run $(args)

include proof/proof.mk

clean:
	@rm -rf build target

# The targets that make what others install, and check what they rely on. Included by the Makefile.

.PHONY: abi abi-dump abi-renew docs cross-check

# The record is of one architecture; on another there is nothing to compare with.
abi_record := abi/$(shell uname -m)-linux.abi

abi-dump:
	@tools/setup abigail-tools
	@mkdir -p build/abi
	@cargo build --quiet --locked --package moorline --lib
	@tools/abi-dump target/debug/libmoorline.so build/abi/moorline.abi

abi: abi-dump
	@echo '== comparing the ABI with $(abi_record)'
	@tools/abi-check $(abi_record) build/abi/moorline.abi
	@echo '== planting changes that must be found'
	@tests/abi/planted

abi-renew: abi-dump
	@cp build/abi/moorline.abi $(abi_record)
	@git diff --stat -- $(abi_record)

version := $(shell sed -n 's/^version *= *"\([0-9.]*\)".*/\1/p' Cargo.toml | head -n 1)

docs:
	@tools/setup doxygen
	@echo '== the reference for Rust'
	@RUSTDOCFLAGS='-D warnings' cargo doc --quiet --locked --no-deps --package moorline
	@echo '== the reference for C, C++ and Qt'
	@mkdir -p build/docs
	@rm -rf build/docs/c build/docs/rust
	@MOORLINE_VERSION=$(version) doxygen Doxyfile
	@cp -r target/doc build/docs/rust
	@echo 'build/docs/rust/moorline/index.html and build/docs/c/index.html'

cross-check:
	@tools/setup rustc-web cargo-web rust-web-src
	@tools/cross-check $(targets)

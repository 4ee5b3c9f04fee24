# The targets that make what others install, and check what they rely on. Included by the Makefile.

.PHONY: cross-check

cross-check:
	@tools/setup rustc-web cargo-web rust-web-src
	@tools/cross-check $(targets)

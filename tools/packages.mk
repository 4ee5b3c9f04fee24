# The targets that make what others install, and check what they rely on. Included by the Makefile.

.PHONY: package package-test package-test-conan abi abi-dump abi-renew docs licences cross-check

package_needs := $(build_needs) qt6-base-dev dpkg-dev file

# The Debian packages are of a build tree of their own, as their prefix is /usr and their libraries are where Debian has them. What
# cargo has built for the one it uses for the other.
package:
	@tools/setup $(package_needs)
	@echo '== building what is packed'
	@cmake -S . -B build -DCMAKE_BUILD_TYPE=Release -DMOORLINE_BUILD_TESTS=OFF -DMOORLINE_WITH_QT=ON
	+@cmake --build build --parallel $(jobs)
	@cmake -S . -B build/package -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX=/usr -DMOORLINE_BUILD_TESTS=OFF \
	  -DMOORLINE_WITH_QT=ON -DMOORLINE_CARGO_TARGET_DIR="$(CURDIR)/build/cargo"
	+@cmake --build build/package --parallel $(jobs)
	@echo '== packing into build/packages'
	@rm -rf build/packages
	@cd build/package && cpack -B "$(CURDIR)/build/packages" -G DEB
	@cd build && cpack -B "$(CURDIR)/build/packages" -G TGZ
	@rm -rf build/packages/_CPack_Packages
	@echo '== packing the crate'
	@cargo package --quiet --locked --package moorline $(if $(CI),,--allow-dirty)

package-test: package
	@echo '== trying the Debian packages'
	@tests/packages/debian build/packages
	@echo '== trying the archive'
	@tests/packages/archive build/packages/moorline-*.tar.gz
	@echo '== trying the crate'
	@tests/packages/crate

# Conan comes from PyPI, in an environment of its own below build/.
conan_version := 2.34.0
conan := build/conan/bin/conan
$(conan):
	@python3 -m venv build/conan
	@build/conan/bin/pip install --quiet --disable-pip-version-check conan==$(conan_version)

package-test-conan:
	@tools/setup $(package_needs) python3-venv
	@$(MAKE) $(conan)
	@echo '== having Conan create its package'
	@jobs=$(jobs) tests/packages/conan "$(CURDIR)/$(conan)"

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

# Optimised little, as it is built for longer than it ever runs.
deny_version := 0.20.2
deny := build/cargo-deny/bin/cargo-deny
$(deny):
	@echo '== building cargo-deny'
	@CARGO_TARGET_DIR=build/cargo-deny/target cargo install --quiet --locked --no-default-features --root build/cargo-deny \
	  --config 'profile.release.lto="off"' --config profile.release.opt-level=1 --config profile.release.debug=false \
	  cargo-deny@$(deny_version)
	@rm -rf build/cargo-deny/target

# Without advisories, whose database is fetched from the network.
licences: $(deny)
	@$(deny) --locked --workspace check --hide-inclusion-graph licenses bans sources

cross-check:
	@tools/setup rustc-web cargo-web rust-web-src
	@tools/cross-check $(targets)

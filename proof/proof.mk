# The proofs. What each shows, its long form, and what it found is in docs/proofs.md. Each is a script of its own in proof/.

sanitizer_needs := $(build_needs) libgtest-dev rustc-web cargo-web rust-web-src clang-22 lld-22 llvm-22 libclang-rt-22-dev
seconds ?= 60

.PHONY: proof models sanitizers thread-sanitizer address-sanitizer fuzz chaos soak valgrind mutants coverage lint format

# The short forms, one after another.
proof: models chaos soak sanitizers fuzz

models:
	@tools/setup
	@proof/models/run

sanitizers: thread-sanitizer address-sanitizer

thread-sanitizer address-sanitizer: %-sanitizer:
	@tools/setup $(sanitizer_needs)
	@jobs=$(jobs) proof/sanitizers/run $*

fuzz:
	@tools/setup $(build_needs)
	@tools/setup-cargo cargo-fuzz
	@jobs=$(jobs) seconds=$(seconds) proof/fuzz $(args)

chaos:
	@tools/setup
	@MOORLINE_CHAOS_ROUNDS=$(or $(rounds),200) cargo test --locked --test chaos -- --nocapture

soak:
	@tools/setup $(build_needs)
	@seconds=$(if $(minutes),$$(($(minutes) * 60)),$(seconds)) proof/soak/run

valgrind:
	@tools/setup $(test_needs) valgrind
	@jobs=$(jobs) proof/valgrind/run $(args)

mutants:
	@tools/setup
	@tools/setup-cargo cargo-mutants
	@jobs=$(jobs) proof/mutants $(args)

coverage:
	@tools/setup $(build_needs) libgtest-dev llvm-22
	@tools/setup-cargo cargo-llvm-cov
	@jobs=$(jobs) proof/coverage

lint: export QT_QPA_PLATFORM ?= offscreen
lint:
	@tools/setup $(test_needs) clang-22 clang-format-22 clang-tidy-22
	@jobs=$(jobs) proof/lint

format:
	@tools/setup clang-format-22
	@proof/format

"""Builds programs of a consumer's with the package, with CMake and from what the recipe says of its libraries, and runs them."""

import os

from conan import ConanFile
from conan.tools.build import can_run
from conan.tools.cmake import CMake, cmake_layout


class MoorlineTestConan(ConanFile):
    settings = "os", "arch", "compiler", "build_type"
    generators = "CMakeToolchain", "CMakeDeps", "PkgConfigDeps", "VirtualRunEnv"

    def requirements(self):
        self.requires(self.tested_reference_str, run=True)

    def layout(self):
        cmake_layout(self)

    def build(self):
        options = self.dependencies["moorline"].options
        cmake = CMake(self)
        cmake.configure(variables={
            "MOORLINE_SHARED": "ON" if options.shared else "OFF",
            "MOORLINE_QT": "ON" if options.with_qt else "OFF",
            "PKG_CONFIG_DIRECTORY": self.generators_folder,
        })
        cmake.build()

    def test(self):
        if not can_run(self):
            return
        options = self.dependencies["moorline"].options
        programs = ["by-cmake", "by-pkg-config"] + (["with-qt"] if options.with_qt else [])
        for program in programs:
            self.run(os.path.join(self.cpp.build.bindir, program), env="conanrun")
        if options.with_tool:
            self.run("moorline --version", env="conanrun")

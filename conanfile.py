"""The Conan 2 recipe of Moorline: `conan create .`

Building needs cargo, and with Qt the system's Qt 6; nothing is required from a Conan server. Where cargo has the sources of the crates
of Cargo.lock already, nothing is fetched at all.
"""

import os
import re

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.cmake import CMake, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load, rm

required_conan_version = ">=2.0"


class MoorlineConan(ConanFile):
    name = "moorline"
    description = "Local sockets whose lifetimes cannot go wrong"
    license = "MIT OR Apache-2.0"
    topics = ("ipc", "unix-socket", "local-socket", "qt")
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {
        # Which of the two libraries a consumer links. The CMake package has both in any case.
        "shared": [True, False],
        "with_qt": [True, False],
        "with_tool": [True, False],
    }
    default_options = {"shared": True, "with_qt": False, "with_tool": False}
    exports_sources = (
        "CMakeLists.txt", "Cargo.toml", "Cargo.lock", "LICENSE-*", "README.md", "CHANGELOG.md", "build.rs",
        "src/*", "include/*", "cmake/*", "qt/*", "cli/*", "docs/*",
    )

    def set_version(self):
        manifest = load(self, os.path.join(self.recipe_folder, "Cargo.toml"))
        self.version = re.search(r'^version *= *"([0-9.]+)"', manifest, re.MULTILINE).group(1)

    def export(self):
        # set_version runs again where the recipe is exported to.
        copy(self, "Cargo.toml", self.recipe_folder, self.export_folder)

    def validate(self):
        if self.settings.os != "Linux":
            raise ConanInvalidConfiguration(f"Moorline's CMake package is made on Linux only so far, not on {self.settings.os}")
        if self.options.with_qt and not self.options.shared:
            raise ConanInvalidConfiguration("the Qt adapter is on top of the shared library: with_qt=True needs shared=True")

    def package_id(self):
        # Nothing of C++ is in the library but for the Qt adapter.
        if not self.info.options.with_qt:
            del self.info.settings.compiler

    def layout(self):
        cmake_layout(self)

    def generate(self):
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["MOORLINE_BUILD_TESTS"] = False
        toolchain.cache_variables["MOORLINE_BUILD_TOOL"] = bool(self.options.with_tool)
        toolchain.cache_variables["MOORLINE_WITH_QT"] = "ON" if self.options.with_qt else "OFF"
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        CMake(self).install()
        # The pages stay, to which headers and the tool's help lead.
        documentation = os.path.join(self.package_folder, "share", "doc", "moorline")
        copy(self, "*", documentation, os.path.join(self.package_folder, "licenses"), excludes="docs/*")
        rm(self, "*", documentation)

    def package_info(self):
        # The package's own CMake files are what find_package(Moorline) reads.
        self.cpp_info.set_property("cmake_find_mode", "none")

        # The static one by the name of its file, as both libraries are there and a linker takes the shared one.
        core = self.cpp_info.components["core"]
        core.builddirs.append(os.path.join("lib", "cmake", "Moorline"))
        core.set_property("pkg_config_name", "moorline")
        core.libs = ["moorline"] if self.options.shared else [":libmoorline.a"]
        if not self.options.shared:
            config = load(self, os.path.join(self.package_folder, "lib", "pkgconfig", "moorline.pc"))
            private = re.search(r"^Libs\.private: (.*)$", config, re.MULTILINE).group(1)
            core.system_libs = [library.removeprefix("-l") for library in private.split()]
        if self.options.with_qt:
            adapter = self.cpp_info.components["qt6"]
            adapter.set_property("pkg_config_name", "moorline-qt6")
            adapter.libs = ["moorline-qt6"]
            adapter.requires = ["core"]

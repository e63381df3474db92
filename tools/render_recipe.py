"""Renders the recipe for conda-forge on each of its platforms: python tools/render_recipe.py

Needs the package `py-rattler-build` of PyPI, which is the parser that conda-forge uses.
"""

import os
import sys

import rattler_build

HERE = os.path.dirname(os.path.abspath(__file__))
RECIPE = os.path.join(HERE, "conda-forge", "recipe.yaml")
VARIANTS = """
python: ["3.13.* *_cp313"]
c_compiler: ["gcc"]
c_stdlib: ["sysroot"]
c_stdlib_version: ["2.17"]
"""
PLATFORMS = ("linux-64", "linux-aarch64", "osx-64", "osx-arm64", "win-64")


def main(path=RECIPE):
    with open(path, encoding="utf-8") as stream:
        recipe = rattler_build.Stage0Recipe.from_yaml(stream.read())
    variants = rattler_build.VariantConfig.from_yaml(VARIANTS)
    for platform in PLATFORMS:
        to = rattler_build.PlatformConfig(target_platform=platform)
        for one in recipe.render(variants, rattler_build.RenderConfig(platform=to)):
            package = one.recipe.package
            print("%s: %s %s" % (platform, package.name, package.version))


if __name__ == "__main__":
    main(*sys.argv[1:])

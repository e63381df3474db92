"""Workflows, hooks, issue forms, versions and the maintainers' map name what is there."""

import configparser
import glob
import itertools
import os
import re

import pytest
import yaml
from places import ROOT


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as stream:
        return stream.read()


def matching(*pattern):
    paths = glob.glob(os.path.join(ROOT, *pattern))
    return sorted(os.path.relpath(path, ROOT) for path in paths)


WORKFLOWS = matching(".github", "workflows", "*.yml")
FORMS = [path for path in matching(".github", "ISSUE_TEMPLATE", "*.yml") if "config" not in path]


def expanded(names):
    """tox' names with braces written out: a-{b,c} is a-b, a-c."""
    for name in re.findall(r"(?:[^\s,{}]|\{[^}]*\})+", names):
        parts = [part.split(",") for part in re.split(r"[{}]", name)]
        for chosen in itertools.product(*parts):
            yield "".join(chosen)


def tox():
    """({environments}, {those of the label `full`}) of tox.ini."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(read("tox.ini"))
    full = set(expanded(parser["tox"]["labels"].split("=", 1)[1].replace("\\", "")))
    named = {name.split(":", 1)[1] for name in parser.sections() if ":" in name}
    return set(expanded(parser["tox"]["envlist"])) | full | named, full


ENVIRONMENTS, FULL = tox()


def jobs(workflow):
    return workflow["jobs"].values()


def combinations(job):
    """The values of a job's matrix, one dict a run."""
    matrix = job.get("strategy", {}).get("matrix", {})
    lists = [[(key, one) for one in values] for key, values in matrix.items() if key != "include"]
    crossed = [dict(chosen) for chosen in itertools.product(*lists)] if lists else []
    return crossed + matrix.get("include", []) or [{}]


def commands(job):
    """Every command of a job, with the values of its matrix put in."""
    for values in combinations(job):
        for step in job["steps"]:
            yield re.sub(
                r"\$\{\{ *matrix\.(\w+) *\}\}",
                lambda found, values=values: str(values[found.group(1)]),
                step.get("run", ""),
            )


def problems(workflow):
    """What is wrong with a workflow: missing keys, unknown environments and scripts."""
    if set(workflow) - {True, "name", "permissions", "concurrency", "jobs"} or not workflow.get(
        True
    ):
        yield "keys %s" % sorted(map(str, workflow))
    for job in jobs(workflow):
        if not job.get("runs-on") or not all(("run" in s) != ("uses" in s) for s in job["steps"]):
            yield "a job lacks runs-on, or a step is neither `run` nor `uses`"
        for command in commands(job):
            for name in re.findall(r"tox run -e (\S+)", command):
                if name not in ENVIRONMENTS:
                    yield "no environment %s" % name
            for script in re.findall(r"\btools/\S+", command):
                if not os.path.exists(os.path.join(ROOT, script)):
                    yield "no script %s" % script
            if "${{" in command:
                yield "not understood: %s" % command


@pytest.mark.parametrize("path", WORKFLOWS)
def test_workflows_name_what_exists(path):
    workflow = yaml.safe_load(read(path))
    assert list(problems(workflow)) == []
    assert any("tox run" in command for job in jobs(workflow) for command in commands(job))


def test_the_check_of_workflows_can_fail():
    steps = [{"run": "tox run -e ${{ matrix.env }}"}, {"run": "bash tools/none.sh"}, {}]
    job = {"strategy": {"matrix": {"env": ["lint", "lin"]}}, "steps": steps}
    found = list(problems({True: {"push": None}, "jobs": {"one": job}}))
    assert found[0].startswith("a job lacks")
    assert "no environment lin" in found and "no script tools/none.sh" in found
    assert "no environment lint" not in found


def test_every_night_runs_the_whole_matrix():
    run = "\n".join(
        command
        for job in jobs(yaml.safe_load(read(".github", "workflows", "nightly.yml")))
        for command in commands(job)
    )
    assert "tox run -m full" in run
    chosen = re.findall(r"--skip-env '\^\(\?!(\w+)-\)'", run)
    alone = re.findall(r"tox run -e (\S+)", run)
    assert FULL and {name for name in FULL if name.split("-")[0] not in chosen + alone} == set()


@pytest.mark.parametrize("path", FORMS)
def test_issue_forms_ask_for_the_doctor(path):
    form = yaml.safe_load(read(path))
    assert {"name", "description", "body"} <= set(form)
    fields = [field for field in form["body"] if "ctc_shim doctor --json" in str(field)]
    assert fields and fields[0]["validations"]["required"]


def test_hooks_are_pinned_and_come_from_pypi():
    config = yaml.safe_load(read(".pre-commit-config.yaml"))
    assert [repository["repo"] for repository in config["repos"]] == ["local"]
    for hook in config["repos"][0]["hooks"]:
        assert hook["language"] == "python"
        assert all("==" in requirement for requirement in hook["additional_dependencies"])


def test_one_version():
    text = read("ctc_shim", "__init__.py")  # setup.py reads it there, too
    version = re.search(r'^__version__ = "(\S+)"$', text, flags=re.M).group(1)
    assert "version" not in read("setup.cfg").split("[options]")[0].replace("Python ::", "")
    assert yaml.safe_load(read("CITATION.cff"))["version"] == version
    recipe = yaml.safe_load(read("tools", "conda-forge", "recipe.yaml"))
    assert recipe["context"]["version"] == version
    assert re.search(r"^## (\S+)", read("CHANGELOG.md"), flags=re.M).group(1) == version


def test_the_map_names_every_part():
    text = read("docs", "maintainers", "map.md")
    parts = os.listdir(os.path.join(ROOT, "ctc_shim"))
    parts = [name for name in parts if "." not in name or name.endswith(".py")]
    assert [name for name in parts if "`%s" % name not in text and name[:2] != "__"] == []


def test_every_text_of_the_mutation_run_is_found():
    import mutants

    assert list(mutants.missing(mutants.MUTANTS)) == []

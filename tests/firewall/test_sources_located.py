"""YAML and JSON read with places, YAML's traps left out, hostile files refused."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from firewall.errors import RuleFileError
from firewall.sources import load_rules, located
from firewall.sources.findings import Findings
from firewall.sources.located import Node, load


@pytest.fixture(params=["libyaml", "python"])
def _each_parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(located, "_Loader", {"libyaml": yaml.CSafeLoader, "python": yaml.SafeLoader}[request.param])


def read(folder: Path, text: str | bytes) -> tuple[Node | None, list[str]]:
    path = folder / "file"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    findings = Findings([str(path)])
    root = load(path, findings)
    return root, [line.removeprefix(str(path)) for _, line in findings.problems]


def plain(node: Node | None) -> object:
    """The tree without its places."""
    match node.value if node else None:
        case dict(found):
            return {key: plain(each) for key, each in found.items()}
        case list(found):
            return [plain(each) for each in found]
        case value:
            return value


def places(node: Node) -> dict[str, tuple[int, int]]:
    """Every value's path with its line and column."""
    children = (
        node.value.values() if isinstance(node.value, dict) else node.value if isinstance(node.value, list) else ()
    )
    found = {node.path: (node.place.line, node.place.column)}
    for child in children:
        found |= places(child)
    return found


@pytest.mark.usefixtures("_each_parser")
@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("22", 22),
        ("-1", -1),
        ("0", 0),
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("22:22", "22:22"),
        ("0777", "0777"),
        ("0x16", "0x16"),
        ("1_000", "1_000"),
        ("no", "no"),
        ("on", "on"),
        ("True", "True"),
        ("1.5", "1.5"),
        ("1e3", "1e3"),
        ("2026-01-01", "2026-01-01"),
        ("'22'", "22"),
        ('"true"', "true"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_only_decimal_integers_true_false_and_null_are_more_than_text(
    tmp_path: Path, written: str, read_as: object
) -> None:
    root, problems = read(tmp_path, f"key: {written}\n")
    assert (plain(root), problems) == ({"key": read_as}, [])


@pytest.mark.usefixtures("_each_parser")
def test_every_value_knows_its_line_column_and_path(tmp_path: Path) -> None:
    root, _ = read(tmp_path, "groups:\n  web:\n    - {ports: 22}\n    - all\n  'my app': 1\n")
    assert root is not None
    assert places(root) == {
        "": (1, 1),
        "groups": (2, 3),
        "groups.web": (3, 5),
        "groups.web[0]": (3, 7),
        "groups.web[0].ports": (3, 15),
        "groups.web[1]": (4, 7),
        "groups.'my app'": (5, 13),
    }
    assert root.key("groups").place.column == 1


def test_json_is_read_with_places_tabs_and_escapes(tmp_path: Path) -> None:
    text = '{\n\t"a": [1, {"b":"c\\/d"}],\n\t"smile": "\\ud83d\\ude00 \\\\ud83d"\n}\n'
    root, problems = read(tmp_path, text)
    assert (plain(root), problems) == ({"a": [1, {"b": "c/d"}], "smile": "\U0001f600 \\ud83d"}, [])
    assert root is not None
    assert places(root)["a[1].b"] == (2, 16)


@pytest.mark.usefixtures("_each_parser")
def test_keys_are_text_whatever_they_look_like(tmp_path: Path) -> None:
    root, problems = read(tmp_path, "no: 1\n22: 2\nnull: 3\ntrue: 4\n")
    assert (plain(root), problems) == ({"no": 1, "22": 2, "null": 3, "true": 4}, [])


def test_an_alias_is_the_value_and_keeps_its_place(tmp_path: Path) -> None:
    root, problems = read(tmp_path, "a: &it {b: 1}\nc: *it\n")
    assert (plain(root), problems) == ({"a": {"b": 1}, "c": {"b": 1}}, [])
    assert root is not None
    assert str(root.get("c")).startswith(f"{tmp_path}/file:1:4 ")


IN_A_TEMPLATE = "Resources:\n  a: {}\n"


@pytest.mark.usefixtures("_each_parser")
@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("!Ref Web", {"Ref": "Web"}),
        ("!Ref 22", {"Ref": "22"}),
        ("!Condition IsLive", {"Condition": "IsLive"}),
        ("!GetAtt Web.GroupId", {"Fn::GetAtt": "Web.GroupId"}),
        ("!GetAZs ''", {"Fn::GetAZs": ""}),
        ("!Sub\n    - a\n    - {b: !Ref c}", {"Fn::Sub": ["a", {"b": {"Ref": "c"}}]}),
        ("!Not [!Equals [1, '1']]", {"Fn::Not": [{"Fn::Equals": [1, "1"]}]}),
        ("!Transform {Name: x}", {"Fn::Transform": {"Name": "x"}}),
        ("[!Ref a, !If [b, !Ref c, d]]", [{"Ref": "a"}, {"Fn::If": ["b", {"Ref": "c"}, "d"]}]),
        ("[&it !Ref a, *it]", [{"Ref": "a"}, {"Ref": "a"}]),
    ],
)
def test_a_short_form_in_a_template_is_its_long_form(tmp_path: Path, short: str, long: object) -> None:
    root, problems = read(tmp_path, f"{IN_A_TEMPLATE}  b: {short}\n")
    assert (plain(root), problems) == ({"Resources": {"a": {}, "b": long}}, [])


def test_every_short_form_has_a_long_one(tmp_path: Path) -> None:
    root, problems = read(tmp_path, IN_A_TEMPLATE + "".join(f"  {tag[1:]}: {tag} x\n" for tag in located.SHORT_FORMS))
    assert len(located.SHORT_FORMS) == 18
    assert problems == []
    assert plain(root) == {"Resources": {"a": {}} | {tag[1:]: {long: "x"} for tag, long in located.SHORT_FORMS.items()}}


def test_a_short_form_has_the_place_of_its_tag_and_its_value_one_of_its_own(tmp_path: Path) -> None:
    root, _ = read(tmp_path, "Resources:\n  a: !Join [b, [!Ref c]]\n")
    assert root is not None
    assert places(root) == {
        "": (1, 1),
        "Resources": (2, 3),
        "Resources.a": (2, 6),
        "Resources.a.Fn::Join": (2, 6),
        "Resources.a.Fn::Join[0]": (2, 13),
        "Resources.a.Fn::Join[1]": (2, 16),
        "Resources.a.Fn::Join[1][0]": (2, 17),
        "Resources.a.Fn::Join[1][0].Ref": (2, 17),
    }


def test_a_byte_order_mark_is_no_character_of_the_file(tmp_path: Path) -> None:
    root, problems = read(tmp_path, b"\xef\xbb\xbfa: 1\n")
    assert (plain(root), problems) == ({"a": 1}, [])


@pytest.mark.usefixtures("_each_parser")
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: 2\na: 3\n", ":3:1 a - this key stands at line 1 already: keep one of the two"),
        ("a: {<<: {b: 1}}\n", ":1:5 a.<< - merge keys (<<) are not read: write the keys out"),
        ("a:\n\tb: 1\n", ":2:1 - a tab cannot indent YAML: use spaces"),
        ("a: 1\n---\nb: 2\n", ":2:1 - a second YAML document: write one document a file"),
        ("a: !Ref b\n", ":1:4 a - the tag !Ref is not read: write the plain value"),
        ("a: [1, !If [b, !Ref c]]\n", ":1:8 a[1] - the tag !If is not read: write the plain value"),
        ("!Ref a\n", ":1:1 - the tag !Ref is not read: write the plain value"),
        ("Resources: {a: !Length b}\n", ":1:16 Resources.a - the tag !Length is not read: write the plain value"),
        ("Resources: {!Ref a: b}\n", ":1:13 Resources - the tag !Ref is not read: write the plain value"),
        (
            "Resources: {a: !!binary b}\n",
            (":1:16 Resources.a - the tag tag:yaml.org,2002:binary is not read: write the plain value"),
        ),
        ("a: [b, *c]\n", ":1:8 a[1] - *c has no complete &c before it"),
        ("a: &b [*b]\n", ":1:8 a[0] - *b has no complete &b before it"),
        ("[a]: b\n", ":1:1 - a key must be one word: a list or mapping cannot be a key"),
        ('ok: 1\na: "\x07"\n', r":2:5 - the character '\x07' cannot stand in YAML or JSON: delete it"),
        ("a: {b: ::/0}\n", ':1:8 - inside {...} and [...] an IPv6 block stands in quotes: write "::/0"'),
        ("", ": the file is empty: write security_groups: and the groups below it"),
        ("# nothing\n", ": the file is empty: write security_groups: and the groups below it"),
    ],
)
def test_what_yaml_would_take_or_word_badly_is_said_with_its_place(tmp_path: Path, text: str, problem: str) -> None:
    assert read(tmp_path, text)[1] == [problem]


@pytest.mark.parametrize("text", ["a: [1, 2\nb: 3\n", 'a: "open\n', "a: b: c\n", '{"a": 1}{"b": 2}', "a: %\n@\n"])
def test_a_syntax_error_has_a_place_and_one_line(tmp_path: Path, text: str) -> None:
    root, problems = read(tmp_path, text)
    assert root is None
    assert len(problems) == 1
    assert problems[0].startswith(":")
    assert "not YAML or JSON" in problems[0]
    assert "\n" not in problems[0]


LAUGHS = "a0: &a0 [1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"a{level}: &a{level} [{','.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 12)
)


@pytest.mark.usefixtures("_each_parser")
@pytest.mark.parametrize(
    ("text", "bound"),
    [
        pytest.param("[" * 100_000, "nested deeper than 64 levels", id="brackets"),
        pytest.param("{a: " * 100_000, "nested deeper than 64 levels", id="braces"),
        pytest.param("- " * 10_000, "nested deeper than 64 levels", id="dashes"),
        pytest.param("Resources: " + "!Not [" * 10_000, "nested deeper than 64 levels", id="tags"),
        pytest.param(LAUGHS, "more than 1,000,000 values", id="billion-laughs"),
        pytest.param(f"a: '{'x' * 2_000_000}'", "a text of 2,000,000 characters", id="long-value"),
    ],
)
def test_a_hostile_file_is_refused_by_a_bound_that_has_a_number(tmp_path: Path, text: str, bound: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    with pytest.raises(RuleFileError) as caught:
        load_rules(path)
    assert [bound in line for line in caught.value.problems] == [True]


def test_more_values_than_the_bound_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(located, "MAX_NODES", 10)
    assert read(tmp_path, f"[{'1,' * 9}]")[1] == []
    assert "more than 10 values" in read(tmp_path, f"[{'1,' * 10}]")[1][0]
    assert read(tmp_path, "Resources: [!Ref a, !Ref b, !Ref c, d]")[1] == []
    assert "more than 10 values" in read(tmp_path, "Resources: [!Ref a, !Ref b, !Ref c, !Ref d]")[1][0]


def test_a_file_beyond_the_size_bound_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(located, "MAX_BYTES", 1 << 20)
    assert "larger than 1 MiB" in read(tmp_path, b"#" * ((1 << 20) + 1))[1][0]


@given(st.binary(max_size=200) | st.text("{}[]:,-&*!|>'\"#%@\t\n ?~<ab01", max_size=60).map(str.encode))
def test_no_bytes_end_in_anything_but_a_rule_set_or_a_rule_file_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "anything.yaml"
    path.write_bytes(data)
    with pytest.raises(RuleFileError) as caught:
        load_rules(path)
    assert all("\n" not in line and line.startswith(str(path)) for line in caught.value.problems)

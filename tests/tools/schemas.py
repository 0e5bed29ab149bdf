"""Holds the JSON Schemas of profiles and jig files to the station's readers of these files.

usage: schemas.py BUILD SOURCE WORK

Files that are good and some thousand that have one thing wrong are judged by both. What the schema
refuses the reader must refuse; what only the reader refuses must be of a kind that a schema cannot
see, and each such kind is listed here. A mapping has the same keys for both.
"""
import glob
import json
import os
import re
import subprocess
import sys

import jsonschema
import yaml

ALIEN = "qqqqqqqqqqqq"  # no key, and near none
BUILD, SOURCE, WORK = sys.argv[1:]
PARTS = f"{BUILD}/share/gangflash/parts"

# What a schema cannot see, by what the reader says of it.
UNSEEN = {
    "files": [r"the image '.*' is missing", r"found SHA-256", r"cannot be opened|cannot be read",
              r"is not a regular file"],
    "values that must agree": [
        r"the signature of", r"does not agree with write", r"is given twice",
        r"the profile's images", r"has no such fuse", r"has no byte", r"found address",
        r"expected either a rate", r"nth says nothing", r"expected an instruction by",
        r"expected either bytes", r"expected to-programmer or from-programmer",
        r"both give the bytes", r"no memory of an AVR is there", r"reach beyond",
        r"found clock-first, expected as-found"],
    "sites and boards that there are": [
        r"stands in line \d+ already", r"there is no site", r"site \d+ is at",
        r"is not in it", r"stands in row", r"the number of a site",
        r"the bench has no more boards"],
    "ranges behind units": [
        r"expected crystal, internal", r"expected a frequency", r"expected at most \d+ s",
        r"expected a time", r"expected a rate", r"expected a factor"],
    "another notation of YAML's numbers and words": [
        r"found '[-+.0-9eEo]+', expected (a|the) number", r"found '0\d+': write 0x",
        r"found '(True|TRUE|False|FALSE)'",
        r"found '[-+.0-9eE]+', expected the 64", r"found \d+ bytes", r"as in 1E 95 87"],
    "numbers that may be meant in hexadecimal": [r"found '\d\d', which may be hexadecimal or decimal"],
    "bytes, where a schema counts characters": [r"found (text of )?\d+ bytes"],
}


# ---- YAML as editors read it: version 1.2, core schema ----

CORE = [
    (re.compile(r"^(~|null|Null|NULL|)$"), lambda text: None),
    (re.compile(r"^(true|True|TRUE)$"), lambda text: True),
    (re.compile(r"^(false|False|FALSE)$"), lambda text: False),
    (re.compile(r"^[-+]?[0-9]+$"), int),
    (re.compile(r"^0o[0-7]+$"), lambda text: int(text[2:], 8)),
    (re.compile(r"^0x[0-9a-fA-F]+$"), lambda text: int(text, 16)),
    (re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$"), float),
]


class Refused(Exception):
    """Not YAML that an editor would take."""


def data_of(node):
    if isinstance(node, yaml.ScalarNode):
        if not node.style:
            for pattern, make in CORE:
                if pattern.match(node.value):
                    return make(node.value)
        return node.value
    if isinstance(node, yaml.SequenceNode):
        return [data_of(item) for item in node.value]
    keys = [key.value for key, _ in node.value]
    if len(set(keys)) != len(keys):
        raise Refused("a key is given twice")
    return {key.value: data_of(value) for key, value in node.value}


def text_of(node, indent=0):
    """YAML again; scalars as they were written, or in double quotes."""
    if isinstance(node, yaml.ScalarNode):
        return node.value if not node.style else json.dumps(node.value, ensure_ascii=False)
    if not node.value:
        return "{}" if isinstance(node, yaml.MappingNode) else "[]"
    lines = [""]
    for item in node.value:
        mapping = isinstance(node, yaml.MappingNode)
        head, value = (text_of(item[0]) + ":", item[1]) if mapping else ("-", item)
        body = text_of(value, indent + 2)
        blank = "" if body.startswith("\n") or not body else " "
        lines.append(" " * indent + head + blank + body)
    return "\n".join(lines)


def compose(text):
    return yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def plain(text):
    return yaml.ScalarNode("", text)


def quoted(text):
    return yaml.ScalarNode("", text, style='"')


# ---- places in a file ----

def nodes_of(node, path=()):
    """Every node, with the way to it: of a mapping the number of the pair, of a list the item's."""
    yield path, node
    if isinstance(node, yaml.SequenceNode):
        for i, item in enumerate(node.value):
            yield from nodes_of(item, path + (i,))
    elif isinstance(node, yaml.MappingNode):
        for i, (_, value) in enumerate(node.value):
            yield from nodes_of(value, path + (i,))


def at(node, path):
    for i in path:
        node = node.value[i][1] if isinstance(node, yaml.MappingNode) else node.value[i]
    return node


def put(root, path, new):
    """The file with another node there. What is not on the way to it is shared."""
    if not path:
        return new
    value = list(root.value)
    if isinstance(root, yaml.MappingNode):
        value[path[0]] = (value[path[0]][0], put(value[path[0]][1], path[1:], new))
    else:
        value[path[0]] = put(value[path[0]], path[1:], new)
    return type(root)("", value)


def place_of(root, path):
    """The keys on the way, without the numbers of lists."""
    keys = []
    for i in path:
        if isinstance(root, yaml.MappingNode):
            keys.append(root.value[i][0].value)
        root = at(root, (i,))
    return tuple(keys)


# ---- what is made wrong ----

def misspelt(word):
    words = {word[1:], word[:-1], word + "x", word[:1] + word[2:], word.upper(), word.capitalize()}
    return words - {word, ""}


def bounds_of(schema, names):
    """The numbers behind these words anywhere in the schema, and those beside them."""
    children = schema.items() if isinstance(schema, dict) else enumerate(schema)
    bounds = set()
    for key, child in children:
        if key in names and isinstance(child, int):
            bounds |= {child - 1, child, child + 1}
        elif isinstance(child, (dict, list)):
            bounds |= bounds_of(child, names)
    return bounds


class Bounds:
    """Of numbers, texts and lists, wherever in a file they hold."""

    def __init__(self, schema):
        self.numbers = sorted(bounds_of(schema, ("minimum", "maximum")))
        self.lengths = sorted(bounds_of(schema, ("maxLength",)))
        self.items = sorted(n for n in bounds_of(schema, ("minItems", "maxItems")) if 0 < n < 20)


def other_scalars(node, bounds):
    text = node.value
    if not node.style and re.match("-?[0-9]+$|0x", text):
        yield from (plain(str(number)) for number in bounds.numbers)
    yield from map(plain, ["", "~", "0", "1", "-1", "2", "127", "255", "256", "257", "1000000001",
                           "99999999999999999999", "1.5", "1.0", "0x1F", "007", "0o17", "true",
                           "False", ALIEN, "leave", "5 V", "16 MHz", "99 MHz", "1 GHz", "400 ms",
                           "25 h", "100 s", "1E 95 0F", "56 AC", "5G"])
    yield from map(quoted, ["", " ", "-?!", "—", text, "1", "a\tb", "é" * 100])
    yield from (quoted("x" * length) for length in bounds.lengths)
    yield from (plain(word) for word in misspelt(text)
                if not re.search(r"[:#{}\[\],&*!|>%@`\"']", word))
    yield yaml.SequenceNode("", [])
    yield yaml.SequenceNode("", [node])
    yield yaml.MappingNode("", [])


def shape_of(node):
    """What a list or mapping has directly in it."""
    if isinstance(node, yaml.MappingNode):
        return tuple(key.value for key, _ in node.value)
    return (len(node.value),)


def mutations(root, seen, bounds):
    """Files with one thing wrong, or at least other; each place, by its keys, has its turn once."""
    for path, node in nodes_of(root):
        place = place_of(root, path)
        if isinstance(node, yaml.ScalarNode):
            if place not in seen:
                for other in other_scalars(node, bounds):
                    yield put(root, path, other)
            seen.add(place)
            continue
        shape = (place, shape_of(node))
        if shape in seen:
            continue
        seen.add(shape)
        for other in (plain(ALIEN), plain(""), plain("5"), yaml.MappingNode("", []),
                      yaml.SequenceNode("", []), yaml.SequenceNode("", [node])):
            yield put(root, path, other)
        if isinstance(node, yaml.SequenceNode) and node.value:
            for count in bounds.items:
                yield put(root, path, yaml.SequenceNode("", node.value[:1] * count))
        for i, item in enumerate(node.value):
            yield put(root, path, type(node)("", node.value[:i] + node.value[i + 1:]))
            yield put(root, path, type(node)("", node.value + [item]))
            if isinstance(node, yaml.MappingNode) and place + (item[0].value,) not in seen:
                for word in misspelt(item[0].value):
                    pairs = list(node.value)
                    pairs[i] = (plain(word), item[1])
                    yield put(root, path, yaml.MappingNode("", pairs))


# ---- the two judges ----

class Kind:
    """Profiles or jig files: their reader and their schema."""

    def __init__(self, name):
        self.name = name
        with open(f"{BUILD}/share/gangflash/{name}.schema.json", encoding="utf-8") as file:
            self.schema = json.load(file)
        jsonschema.Draft7Validator.check_schema(self.schema)
        self.validators = {}
        self.bounds = Bounds(self.schema)
        self.visited = set()

    def read(self, roots):
        """What the reader says of each file."""
        files = [(one if isinstance(one, str) else text_of(one).lstrip("\n") + "\n").encode()
                 for one in roots]
        run = subprocess.run([f"{BUILD}/bin/judge_files", self.name, PARTS, f"{WORK}/file.yaml"],
                             check=True, capture_output=True,
                             input=b"".join(b"%d\n%s" % (len(file), file) for file in files))
        verdicts = run.stdout.decode().splitlines()
        assert len(verdicts) == len(roots), run.stderr
        return verdicts

    def validator(self, data):
        """Of a profile's schema only what is about its part is looked at: of the rest each case is
        about other parts, which takes time and says nothing."""
        part = data.get("part") if isinstance(data, dict) else None
        part = part if isinstance(part, str) else None
        if part not in self.validators:
            rules = [rule for rule in self.schema.get("allOf", [])
                     if part in rule["if"]["properties"]["part"]["enum"]]
            schema = {**self.schema, "allOf": rules}
            self.validators[part] = jsonschema.Draft7Validator(schema)
        return self.validators[part]

    def complaint(self, root):
        """The schema's, or None."""
        try:
            data = data_of(root)
            error = jsonschema.exceptions.best_match(self.validator(data).iter_errors(data))
        except Refused as why:
            return str(why)
        return error and f"{'/'.join(map(str, error.absolute_path))}: {error.message}"

    def is_good(self, root):
        try:
            data = data_of(root)
            return self.validator(data).is_valid(data)
        except Refused:
            return False

    def is_of_letters(self, root):
        """The reader takes the choices of fuse fields in any letters; the schema wants them as
        `gangflash fuses` writes them."""
        choices = [json.loads(found.replace("'", '"')) for found in
                   re.findall(r"('[^']*' is not one of \[[^]]*\])", self.complaint(root) or "")
                   for found in [re.sub(r"^('[^']*') is not one of \[", r"[\1, ", found)]]
        return any(word.lower() in map(str.lower, known) for word, *known in choices)

    # -- keys --

    def resolve(self, schema):
        while isinstance(schema, dict) and "$ref" in schema:
            target = self.schema
            for name in schema["$ref"].split("/")[1:]:
                target = target[name]
            schema = target
        return schema

    def branches(self, schema, data):
        """The schema and all of those in it that speak of this very value."""
        schema = self.resolve(schema)
        if not isinstance(schema, dict):
            return
        yield schema
        valid = lambda one: self.validator(None).evolve(schema=one).is_valid(data)
        below = list(schema.get("allOf", []))
        below += [one for one in schema.get("anyOf", []) if valid(one)][:1]
        if "if" in schema:
            below.append(schema.get("then" if valid(schema["if"]) else "else", {}))
        for one in below:
            yield from self.branches(one, data)

    def step(self, schemas, key):
        for schema in schemas:
            if isinstance(key, int):
                if "items" in schema:
                    yield schema["items"]
            elif schema.get("properties", {}).get(key, False):
                yield schema["properties"][key]

    def keys(self, root, path):
        """The keys that the schema knows in the mapping there."""
        node, data = root, data_of(root)
        schemas = list(self.branches(self.validator(data).schema, data))
        for i in path:
            key = node.value[i][0].value if isinstance(node, yaml.MappingNode) else i
            node, data = at(node, (i,)), data[key]
            schemas = [branch for one in self.step(schemas, key)
                       for branch in self.branches(one, data)]
        closed = [schema for schema in schemas if schema.get("additionalProperties") is False]
        assert closed, f"the schema takes any key: {path} of {text_of(root)}"
        # The outermost one may be a copy with fewer cases.
        self.visited.update([id(self.schema)] if not path else map(id, closed))
        return set.intersection(*[set(schema["properties"]) for schema in closed])

    def closed_schemas(self, schema=None, name=""):
        schema = self.schema if schema is None else schema
        if isinstance(schema, dict) and schema.get("additionalProperties") is False:
            yield name, id(schema)
        children = schema.items() if isinstance(schema, dict) else enumerate(schema)
        for key, child in children:
            if isinstance(child, (dict, list)):
                yield from self.closed_schemas(child, f"{name}/{key}")


# ---- what is tested ----

failures = []
seen_kinds = set()


def wrong(text):
    failures.append(text)


def test_accepted(kind, files):
    """The schema takes every file that the reader takes."""
    verdicts = kind.read(list(files.values()))
    taken = 0
    for (name, text), verdict in zip(files.items(), verdicts):
        if verdict != "good":
            continue
        taken += 1
        complaint = kind.complaint(compose(text))
        if complaint:
            wrong(f"{name}: good to the reader, but not to the schema: {complaint}")
    return taken


def unseen_kind(verdict):
    for name, patterns in UNSEEN.items():
        if any(re.search(pattern, verdict) for pattern in patterns):
            return name
    return None


def test_mutations(kind, root, seen):
    roots = list({text_of(one): one for one in mutations(root, seen, kind.bounds)}.values())
    refused = 0
    for one, verdict in zip(roots, kind.read(roots)):
        good = kind.is_good(one)
        refused += verdict != "good"
        if verdict == "good" and not good and kind.is_of_letters(one):
            seen_kinds.add("letters")
        elif verdict == "good" and not good:
            wrong(f"the schema alone refuses: {kind.complaint(one)}\n{text_of(one)}")
        elif verdict != "good" and good:
            name = unseen_kind(verdict)
            seen_kinds.add(name)
            if not name:
                wrong(f"the reader alone refuses: {verdict}\n{text_of(one)}")
    return len(roots), refused


def test_keys(kind, roots):
    """Each mapping has the same keys for both. The reader lists its own when it meets an alien."""
    probes = []
    for root in roots:
        for path, node in nodes_of(root):
            if isinstance(node, yaml.MappingNode):
                alien = yaml.MappingNode("", [(plain(ALIEN), plain("1"))] + node.value)
                probes.append((root, path, put(root, path, alien)))
    for (root, path, probe), verdict in zip(probes, kind.read([probe for _, _, probe in probes])):
        found = re.search(f"unknown key '{ALIEN}', expected (.*)$", verdict)
        if not found:
            wrong(f"a key that nobody knows is not refused as such: {verdict}\n{text_of(probe)}")
            continue
        readers = set(re.split(r", | or ", found[1]))
        schemas = kind.keys(root, path)
        if readers != schemas:
            wrong(f"at {path}: keys of the reader alone {sorted(readers - schemas)}, of the schema "
                  f"alone {sorted(schemas - readers)}\n{text_of(root)}")
    return len(probes)


def test_all_visited(kind):
    for name, schema in kind.closed_schemas():
        if schema not in kind.visited:
            wrong(f"{kind.name}: no file here has the mapping {name}")


# ---- the files ----

def write_hex(path, address):
    record = bytes([2, address >> 8, address & 0xFF, 0, 0x0C, 0x94])
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as file:
        file.write(f":{record.hex().upper()}{-sum(record) & 0xFF:02X}\n:00000001FF\n")


def make_images(text):
    """The images that a profile names, where they are not there: two bytes each."""
    for i, name in enumerate(re.findall(r"file: ([\w./-]+\.(?:hex|eep))", text)):
        if not os.path.exists(f"{WORK}/{name}"):
            write_hex(f"{WORK}/{name}", 16 * i)


def shipped(pattern):
    files = {}
    for path in sorted(glob.glob(f"{SOURCE}/{pattern}")):
        with open(path, encoding="utf-8") as file:
            files[os.path.basename(path)] = file.read()
    assert files, pattern
    return files


def readme(head):
    with open(f"{SOURCE}/README.md", encoding="utf-8") as file:
        blocks = re.findall(r"^```yaml\n# file: (\S+)\n(.*?)^```", file.read(), re.M | re.S)
    return {f"README {name}": text for name, text in blocks if re.search(head, text, re.M)}


def corpus(name):
    files = {}
    for path in sorted(glob.glob(f"{SOURCE}/tests/fuzz/corpus/{name}/*")):
        with open(path, "rb") as file:
            try:
                files[path] = file.read().decode()
            except UnicodeDecodeError:
                pass
    return files


def split(text):
    """The files in one text, each behind a line with its name."""
    return dict(re.findall(r"^# ---- (\S+)\n(.*?)(?=^# ---- |\Z)", text, re.M | re.S))


def new_profiles():
    names = [os.path.basename(path)[:-5] for path in sorted(glob.glob(f"{PARTS}/*.yaml"))]
    run = subprocess.run([f"{BUILD}/bin/judge_files", "new", PARTS, *names], check=True, text=True,
                         capture_output=True)
    return split(run.stdout)


with open(f"{os.path.dirname(__file__)}/schemas.yaml", encoding="utf-8") as _file:
    OWN = split(_file.read())


def of_own(head):
    return {name: text for name, text in OWN.items() if name.startswith(head)}


# ---- fuse bytes ----

def byte_places(root):
    """Where a profile has fuse and lock bytes."""
    for i, (key, value) in enumerate(root.value):
        if key.value == "fuses":
            yield from ((i, j) for j in range(len(value.value)))
        elif key.value == "lock":
            yield (i,)


def in_full(root):
    """Every byte with `write` and an accepted one by fields."""
    for path in byte_places(root):
        node = at(root, path)
        if isinstance(node, yaml.ScalarNode):
            value = plain("0xFF") if node.value == "leave" else node
            node = yaml.MappingNode("", [(plain("write"), value)])
        accepted = yaml.SequenceNode("", [yaml.MappingNode("", [])])
        more = [(plain("accept"), accepted), (plain("because"), plain("of the test"))]
        root = put(root, path, yaml.MappingNode("", node.value + more))
    return root


def with_choices(kind, root):
    """Files that accept each choice of each field by name, eight at a time, but for those that an
    earlier call gave."""
    data = data_of(root)
    for path in byte_places(root):
        schemas = list(kind.branches(kind.validator(data).schema, data))
        names = [root.value[path[0]][0].value]
        names += [at(root, path[:1]).value[path[1]][0].value] if len(path) == 2 else []
        value = data
        for name in names:
            value = value[name]
            schemas = [branch for one in kind.step(schemas, name)
                       for branch in kind.branches(one, value)]
        fields = [schema["properties"] for schema in schemas
                  if "accept" in schema.get("properties", {})]
        if not fields or id(fields[0]) in kind.visited:
            continue
        kind.visited.add(id(fields[0]))
        items = [yaml.MappingNode("", [(plain(field), plain(choice))])
                 for field, schema in fields[0].items()
                 if field not in ("write", "accept", "because")
                 for choice in kind.resolve(schema)["enum"]]
        accept = [i for i, (key, _) in enumerate(at(root, path).value) if key.value == "accept"][0]
        for i in range(0, len(items), 8):
            yield put(root, path + (accept,), yaml.SequenceNode("", items[i:i + 8]))


def test_choices(kind, roots):
    files = [one for root in roots for one in with_choices(kind, root)]
    for one, verdict in zip(files, kind.read(files)):
        if verdict != "good" or not kind.is_good(one):
            wrong(f"a choice that one of them refuses: {verdict}, {kind.complaint(one)}\n"
                  f"{text_of(one)}")
    return len(files)


def one_by_one(root):
    """Each fault of a jig file in a file of its own: the less is in it, the sooner it is judged."""
    for i, (key, value) in enumerate(root.value):
        if key.value == "faults":
            yield from (put(root, (i,), yaml.SequenceNode("", [fault])) for fault in value.value)
            return
    yield root


# ---- all of it ----

def test_profiles():
    kind = Kind("profile")
    boards, new, own = shipped("profiles/boards/*.yaml"), new_profiles(), of_own("profile")
    files = {**boards, **new, **own, **readme("^profile:"), **corpus("profile")}
    subprocess.run(["cp", "-r", f"{SOURCE}/profiles/boards/demo", WORK], check=True)
    for text in [*boards.values(), *new.values(), *own.values(), *readme("^profile:").values()]:
        make_images(text)
    taken = test_accepted(kind, files)
    full = [in_full(compose(text)) for text in new.values()]
    probes = test_keys(kind, [compose(text) for text in [*own.values(), *boards.values()]] + full)
    choices = test_choices(kind, full)
    test_all_visited(kind)
    seen = set()
    counts = [test_mutations(kind, compose(text), seen) for text in own.values()]
    assert taken >= len(boards) + len(new) + len(own), taken
    print(f"profiles: {taken} good ones, {probes} mappings, {choices} files of choices, "
          f"{sum(a for a, _ in counts)} mutations, {sum(b for _, b in counts)} of them refused")


def test_jigs():
    kind = Kind("jig")
    benches, own = shipped("jigs/benches/*.yaml"), of_own("jig")
    taken = test_accepted(kind, {**benches, **own, **readme("^jig:"), **corpus("jig")})
    probes = test_keys(kind, [compose(text) for text in own.values()])
    test_all_visited(kind)
    seen = set()
    counts = [test_mutations(kind, one, seen) for text in own.values()
              for one in one_by_one(compose(text))]
    assert taken >= len(benches) + len(own), taken
    print(f"jig files: {taken} good ones, {probes} mappings, "
          f"{sum(a for a, _ in counts)} mutations, {sum(b for _, b in counts)} of them refused")


test_profiles()
test_jigs()
for name in {*UNSEEN, "letters"} - seen_kinds:
    wrong(f"nothing here is of the kind '{name}', which is listed")
for text in failures[:20]:
    print(text, file=sys.stderr)
if failures:
    sys.exit(f"{len(failures)} differences")

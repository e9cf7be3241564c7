"""The glossary explains the words that methods and runbooks use.

What is caught:

- a noun from the code (a module or public class of `PACKAGES`) that a method or runbook uses, without an entry. Whoever
  adds a module whose noun gets into a page writes an entry, or puts the noun into `EVERYDAY` if it is plain English.
- a word in *italics*, an abbreviation, or a term such as `e-value` or `Bradley-Terry` in a page, without an entry.
- a reason why a model is not ranked that the glossary does not name.
- an entry that does not define, does not say why it matters, or leads nowhere; entries out of order, or twice.
- a page that does not link to the glossary at its head.
- a word of `EVERYDAY` that has an entry too, or that no code or page has any more.

What is not caught: a new meaning of a word that has an entry, and a term that looks like plain English and names no
module or class. Whether links lead somewhere is tested in `test_docs_snippets.py`.
"""

import ast
import re
from pathlib import Path

import pytest

from streams.ratings.provisional import ProvisionalReason

ROOT = Path(__file__).parents[2]
GLOSSARY = ROOT / "docs" / "glossary.md"
PAGES = sorted([*(ROOT / "docs" / "methods").glob("*.md"), *(ROOT / "docs" / "runbooks").glob("*.md")])
PACKAGES = (
    *("streams/audit", "streams/fairness", "streams/fold", "streams/intake", "streams/kafka", "streams/ledger"),
    *("streams/ratings", "services/gateway", "services/herald", "services/kafka"),
)

EVERYDAY_ITALICS = {"against ranked models", "not listed any more", "other running models"}
"""Words in italics that are stressed, and no terms."""
KNOWN = {"ACL", "AI", "DBRX", "DNS", "ISO", "Instruct-Preview", "JSON", "RFC", "SHA", "SMTP", "UTC", "UTF"}
"""Abbreviations that are the same in every field, and names of products."""


def stem(word: str) -> str:
    """A word without the ending that number or tense gives it.

    >>> [stem(word) for word in ("ticks", "folded", "folds", "Entries", "fence", "fenced", "process")]
    ['tick', 'fold', 'fold', 'entry', 'fenc', 'fenc', 'process']
    """
    word = word.lower()
    word = re.sub(r"ies$", "y", word)
    word = re.sub(r"(?<![su])s$", "", word)
    return re.sub(r"(?<=..)(?:ed|e)$", "", word)


def words_of(text: str) -> set[str]:
    return {stem(word) for word in re.findall(r"[a-z]+", text.lower())}


EVERYDAY = words_of(
    "accept account address alarm another answer array begin best bound break budget busy byte change codec "
    "confirm consumer count cut damage data date document dropped election end expect fairness field figure fit "
    "fragile gate gone hashing json kafka known large late leader learn left limit line make match met moment new "
    "not odds open our out outcome own pair past payload period point probability progress publish rate ratio "
    "reach reader reading redis refuse report retry room rounding sample script second seen send sender sent "
    "setting shown since solving span stranger subscriber summary table too unclear unknown update usual wait "
    "waiting write written wrong"
)
"""Nouns of the code that pages use in their plain English sense, by their stems."""


def names_of(package: str) -> set[str]:
    """Names of the modules of a package and of the packages below it, and of their public classes."""
    names = set()
    for path in (ROOT / package).rglob("*.py"):
        classes = (each.name for each in ast.parse(path.read_text("utf-8")).body if isinstance(each, ast.ClassDef))
        names |= {path.stem, *classes}
    return {name for name in names if not name.startswith("_")}


def nouns_of(names: set[str]) -> set[str]:
    """The words that names are made of, three letters or more.

    >>> sorted(nouns_of({"silent_removal", "BestOfN", "SeenIds"}))
    ['best', 'id', 'removal', 'seen', 'silent']
    """
    parts = (part for name in names for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name))
    return {stem(part) for part in parts if len(part) > 2}


NOUNS = nouns_of({name for package in PACKAGES for name in names_of(package)})


def prose_of(text: str) -> str:
    """A page without blocks of code, code within a line, names of panels and targets of links."""
    text = re.sub(r"^```.*?^```$|^    .*?$", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"The panel: \*[^*]+\*|`[^`]+`", "", text)
    return re.sub(r"\]\([^)]*\)", "]", text)


def entries_of(text: str) -> dict[str, str]:
    """Entries of a glossary by their terms, in order; a repeated term has both texts."""
    _, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
    entries: dict[str, str] = {}
    for part in parts:
        term, _, body = part.partition("\n")
        entries[term] = entries.get(term, "") + body.strip()
    return entries


def terms_of(entries: dict[str, str]) -> set[str]:
    """Every word that is explained: terms without what tells two apart, and what they are also called."""
    terms = {re.sub(r" \(.*\)", "", term) for term in entries}
    for body in entries.values():
        for names in re.findall(r"^Also called (.*?)\. (?:More|In the code)", body, flags=re.MULTILINE):
            terms |= set(re.findall(r"\*([^*]+)\*", names))
    return terms


def unexplained(text: str, nouns: set[str], terms: set[str]) -> set[str]:
    """Terms of a page that have no entry."""
    prose = prose_of(text)
    explained = words_of(" ".join(terms))
    missing = (words_of(prose) & nouns) - explained - EVERYDAY
    exact = {" ".join(map(stem, term.split())) for term in terms}
    for italic in re.findall(r"(?<![*\w])\*([^*\n]+)\*(?![*\w])", prose):
        if " ".join(map(stem, italic.split())) not in exact and italic.lower() not in EVERYDAY_ITALICS:
            missing.add(italic)
    for name in re.findall(r"\b[A-Z]{2,}\b|\be-[A-Za-z]+|\b[A-Z][a-z]+-[A-Z][a-z]+\b", prose):
        if name not in KNOWN and stem(name) not in {stem(term) for term in terms}:
            missing.add(name)
    return missing


TEXT = GLOSSARY.read_text("utf-8")
ENTRIES = entries_of(TEXT)
TERMS = terms_of(ENTRIES)


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_every_term_of_a_page_has_an_entry(page: Path) -> None:
    missing = unexplained(page.read_text("utf-8"), NOUNS, TERMS)
    assert missing == set(), "stems without an entry in docs/glossary.md: define them there, or add them to EVERYDAY"


@pytest.mark.parametrize(
    ("sentence", "missing"),
    [
        ("Each tick raises the quorums of its block.", {"quorum"}),
        ("A vote counts for *half a quorum* only.", {"quorum", "half a quorum"}),
        ("The e-quantity of a CUSUM is bounded.", {"e-quantity"}),
        ("A SPRT needs fewer ticks.", {"SPRT"}),
        ("Ratings by Glicko-Stephenson have a volatility.", {"Glicko-Stephenson"}),
        ("Whatever stands in `quorum.py` or [here](quorum.md) is no prose.", set()),
    ],
)
def test_a_page_with_an_unknown_term_is_found(sentence: str, missing: set[str]) -> None:
    page = f"# made_up\n\nWords: [glossary](../glossary.md).\n\n## What it says\n\n{sentence}\n"
    assert unexplained(page, NOUNS | nouns_of({"QuorumState"}), TERMS) == missing


def test_a_term_that_leaves_the_glossary_is_missed() -> None:
    page = (ROOT / "docs" / "methods" / "share_drift.md").read_text("utf-8")
    assert unexplained(page, NOUNS, TERMS - {"tick", "e-value"}) == {"tick"}
    assert unexplained(page, NOUNS, TERMS - {"CUSUM", "e-CUSUM"}) == {"cusum", "e-CUSUM"}


@pytest.mark.parametrize("term", ENTRIES)
def test_an_entry_defines_says_why_and_leads_on(term: str) -> None:
    body = ENTRIES[term]
    explanation, leads = re.split(r"^(?=Also called |In the code: |More: )", body, maxsplit=1, flags=re.MULTILINE)
    assert len(re.findall(r"[.)](?=\s|$)", explanation)) >= 2, "one sentence that defines, one that says why"
    assert words_of(re.sub(r" \(.*\)", "", term)) <= words_of(explanation), "the definition names its term"
    assert re.search(r"^(?:Also called .*|In the code: .*)?More: \[.+\]\(.+\)\.$", leads, flags=re.MULTILINE)


def test_entries_stand_in_alphabetical_order_once_each() -> None:
    terms = re.findall(r"^## (.+)$", TEXT, flags=re.MULTILINE)
    assert terms == sorted(set(terms), key=str.lower)


@pytest.mark.parametrize("reason", ProvisionalReason)
def test_every_reason_of_a_provisional_model_is_named(reason: ProvisionalReason) -> None:
    assert f"`{reason.value}`" in TEXT


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_a_page_links_to_the_glossary_at_its_head(page: Path) -> None:
    head, *_ = page.read_text("utf-8").partition("\n## ")
    assert "](../glossary.md)" in head


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_the_first_documents_link_to_the_glossary(name: str) -> None:
    assert "](docs/glossary.md)" in (ROOT / name).read_text("utf-8")


def test_everyday_words_are_still_words_of_code_and_pages_and_no_terms() -> None:
    prose = [prose_of(page.read_text("utf-8")) for page in PAGES]
    assert EVERYDAY - (NOUNS & words_of(" ".join(prose))) == set()
    assert EVERYDAY & words_of(" ".join(TERMS)) == set()
    assert all(any(re.search(rf"\b{name}\b", text) for text in prose) for name in KNOWN)

import logging

import pytest
from spikeinterface.core import load

from huidurep_hf.cli.main import main

from ..made_results import make_result


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_result(3, 1500, seconds=(30.0,)).save(tmp_path_factory.mktemp("results") / "mine")


@pytest.mark.slow
def test_report(folder, tmp_path, capsys):
    assert main(["report", str(folder), "--output", str(tmp_path / "page.html"), "--compare", str(folder)]) == 0
    assert "3 of 3 units of mine are in the sorting" in (tmp_path / "page.html").read_text()
    assert not (folder / "report.html").exists()
    assert main(["report", str(folder), "--truth", str(folder / "sorting")]) == 0
    assert "3 of 3 units of the truth are in the sorting" in (folder / "report.html").read_text()
    assert str(folder / "report.html") in capsys.readouterr().out


@pytest.mark.slow
def test_the_page_shows_how_far_it_is(folder, tmp_path, capsys):
    arguments = ["report", str(folder), "--output", str(tmp_path / "page.html")]
    assert main(arguments) == 0 and "page: 100%" in capsys.readouterr().err
    assert main([*arguments, "--quiet"]) == 0 and "page" not in capsys.readouterr().err


def test_compare(folder, tmp_path, capsys):
    page = tmp_path / "page.html"
    assert main(["compare", str(folder), str(folder / "sorting"), "--truth", "--output", str(page)]) == 0
    printed = capsys.readouterr().out
    assert "3 of 3 units of sorting are in mine, 3 with accuracy of at least 0.8." in printed
    assert "matched_unit" in printed and page.stat().st_size > 1e6


def test_nothing_is_compared_in_a_sentence(folder, tmp_path, capsys):
    none, page = str(make_result(0, 50, seconds=(30.0,)).save(tmp_path / "none")), tmp_path / "page.html"
    assert main(["compare", none, none, "--output", str(page)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("A and B have no units; there is nothing to compare.\n") and "Empty" not in printed
    assert "there is nothing to compare" in page.read_text()
    assert main(["compare", str(folder), none]) == 0
    assert capsys.readouterr().out == "none has no units; there is nothing to compare.\n"
    assert main(["compare", none, str(folder)]) == 0
    assert "none has no units" in capsys.readouterr().out


@pytest.mark.slow
def test_plot(folder, tmp_path, capsys):
    picture = tmp_path / "unit.svg"
    assert main(["plot", str(folder), "--unit", "1", "--what", "correlogram", "--output", str(picture)]) == 0
    assert picture.is_file()
    assert main(["plot", str(folder), "--unit", "7", "--output", str(picture)]) == 2
    assert "Got unit 7, but the result has units 0 to 2." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["report", "absent"], "no sorting result"),
        (["compare", "absent", "absent"], "absent does not exist"),
        (["compare", ".", "."], "folder of a sorting that SpikeInterface saved"),
        (["report", "FOLDER", "--truth", "a", "--compare", "b"], "not both"),
    ],
)
def test_mistakes_are_one_line(folder, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert main([str(folder) if argument == "FOLDER" else argument for argument in arguments]) == 2
    assert message in capsys.readouterr().err


def test_version_and_help(capsys):
    for flag, said in (("--version", "huidurep 0."), ("--help", "report")):
        with pytest.raises(SystemExit) as ended:
            main([flag])
        assert ended.value.code == 0
        printed = capsys.readouterr().out
        assert said in printed
    for command in ("report", "compare", "plot", "doctor"):
        assert f"\n    {command} " in printed


@pytest.mark.slow
def test_an_example_has_a_page_a_truth_and_a_log(tiny_checkpoint, tmp_path, capsys):
    out = tmp_path / "result"
    arguments = ["example", str(out), "--model", str(tiny_checkpoint), "--name", "tetrode", "--duration", "10"]
    assert main([*arguments, "--quiet"]) == 0
    assert "Agreement" in (out / "report.html").read_text()
    assert load(out / "truth").get_num_units() == 8
    log = (out / "log.txt").read_text()
    assert "INFO scan:" in log and "used: " in log
    assert main(["compare", str(out), str(out / "truth"), "--truth"]) == 0
    assert main(["rerun", str(out), "--quiet"]) == 0
    assert "bit for bit" in capsys.readouterr().out
    assert main([*arguments, "--overwrite", "--no-report", "--log-level", "error"]) == 0
    assert not (out / "report.html").exists() and (out / "log.txt").is_file()
    assert logging.getLogger("huidurep_hf").level == logging.INFO


@pytest.mark.slow
def test_doctor(tiny_checkpoint, capsys):
    assert main(["doctor", "--model", str(tiny_checkpoint), "--quiet"]) == 0
    printed = capsys.readouterr().out
    for said in ("spikeinterface", "torch", "device", "cache", "works: "):
        assert said in printed

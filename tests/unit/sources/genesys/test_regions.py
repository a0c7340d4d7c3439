import pytest

from ringback.errors import SettingsError
from ringback.sources.genesys.regions import REGIONS, Hosts, find_region, hosts_of


def test_there_are_18_regions_with_hosts_of_their_own() -> None:
    assert len({hosts_of(region) for region in REGIONS}) == 18
    assert hosts_of("me_central_1") == Hosts(
        "https://login.mec1.pure.cloud", "https://api.mec1.pure.cloud"
    )


@pytest.mark.parametrize(
    "spelling",
    [
        "eu_central_1",
        "eu-central-1",
        " EU-Central_1 ",
        "mypurecloud.de",
        "api.mypurecloud.de",
        "https://apps.mypurecloud.de/directory",
    ],
)
def test_a_region_may_be_spelt_as_people_do(spelling: str) -> None:
    assert find_region(spelling) == "eu_central_1"


@pytest.mark.parametrize(
    ("region", "closest"),
    [
        ("eu_central_3", "did you mean eu_central_"),
        ("frankfurt-and-so-on", "there is no region 'frankfurt-and-so-on'; known: us_east_1 ("),
        ("mypurecloud.dee", "did you mean mypurecloud.de?"),
        ("", "known: "),
    ],
)
def test_an_unknown_one_is_refused_with_the_closest_and_all(region: str, closest: str) -> None:
    with pytest.raises(SettingsError) as caught:
        hosts_of(region)
    assert caught.value.path == "genesys.region"
    assert closest in caught.value.problem
    assert "ap_south_1 (aps1.pure.cloud)" in caught.value.problem


def test_hosts_that_are_given_stand_in_for_the_regions() -> None:
    assert hosts_of("", "http://127.0.0.1:1/", "http://127.0.0.1:2/") == Hosts(
        "http://127.0.0.1:1", "http://127.0.0.1:2"
    )
    assert hosts_of("us_west_2", api_url="https://gateway.example") == Hosts(
        "https://login.usw2.pure.cloud", "https://gateway.example"
    )

"""The regions are those of the platform's own Python SDK."""

import pytest

from ringback.sources.genesys.regions import REGIONS, hosts_of

sdk = pytest.importorskip("PureCloudPlatformClientV2")


def test_every_region_of_the_sdk_has_its_host() -> None:
    theirs = {region.name: region.get_api_host() for region in sdk.PureCloudRegionHosts}
    assert {region: hosts_of(region).api_url for region in REGIONS} == theirs

"""The regions of Genesys Cloud, by name or domain, and the hosts of each."""

import difflib
from urllib.parse import urlsplit

import msgspec

from ringback.errors import SettingsError

__all__ = ["REGIONS", "Hosts", "find_region", "hosts_of"]

REGIONS = {
    "us_east_1": "mypurecloud.com",
    "us_east_2": "use2.us-gov-pure.cloud",
    "us_west_2": "usw2.pure.cloud",
    "ca_central_1": "cac1.pure.cloud",
    "sa_east_1": "sae1.pure.cloud",
    "mx_central_1": "mxc1.pure.cloud",
    "eu_west_1": "mypurecloud.ie",
    "eu_west_2": "euw2.pure.cloud",
    "eu_central_1": "mypurecloud.de",
    "eu_central_2": "euc2.pure.cloud",
    "eusc_de_east_1": "edee1.eusc-pure.cloud",
    "me_central_1": "mec1.pure.cloud",
    "ap_southeast_1": "apse1.pure.cloud",
    "ap_southeast_2": "mypurecloud.com.au",
    "ap_northeast_1": "mypurecloud.jp",
    "ap_northeast_2": "apne2.pure.cloud",
    "ap_northeast_3": "apne3.pure.cloud",
    "ap_south_1": "aps1.pure.cloud",
}
"""Name, as the platform's SDKs have it, to domain. us_east_2 is FedRAMP."""

SUBDOMAINS = ("api.", "login.", "apps.", "streaming.")


class Hosts(msgspec.Struct, frozen=True):
    """Where requests go. Without a slash at the end; channels say themselves where to listen."""

    login_url: str
    api_url: str


def find_region(name: str) -> str:
    """Give a region's name, as in `REGIONS`, for its name, domain or the address of a host in it.

    `-` and `_`, upper and lower case are one. Raises `SettingsError`.
    """
    wanted = name.strip().lower()
    if "://" in wanted:
        wanted = urlsplit(wanted).hostname or ""
    for subdomain in SUBDOMAINS:
        wanted = wanted.removeprefix(subdomain)
    for region, domain in REGIONS.items():
        if wanted == domain or wanted.replace("-", "_") == region:
            return region
    found = difflib.get_close_matches(
        wanted.replace("-", "_"), REGIONS, n=1
    ) or difflib.get_close_matches(wanted, REGIONS.values(), n=1)
    closest = f"; did you mean {found[0]}?" if found else ""
    known = ", ".join(f"{region} ({domain})" for region, domain in REGIONS.items())
    raise SettingsError(
        "genesys.region", f"there is no region {name.strip()[:60]!r}{closest}; known: {known}"
    )


def hosts_of(region: str, login_url: str = "", api_url: str = "") -> Hosts:
    """Give the hosts of a region; a URL that is given stands in for the region's own.

    Raises `SettingsError` when a region is asked for that is not known.
    """
    if login_url and api_url:
        return Hosts(login_url.rstrip("/"), api_url.rstrip("/"))
    domain = REGIONS[find_region(region)]
    return Hosts(
        login_url.rstrip("/") or f"https://login.{domain}",
        api_url.rstrip("/") or f"https://api.{domain}",
    )

"""Addresses of other pages: relative ones only."""

from urllib.parse import urlsplit


def safe_href(href: str) -> str:
    """The address if it is a path of this site, else nothing.

    >>> safe_href("../drift/2024-02-14.html"), safe_href("javascript:alert(1)"), safe_href("//x.org/a")
    ('../drift/2024-02-14.html', '', '')
    """
    try:
        parts = urlsplit(href)
    except ValueError:
        return ""
    inside = not parts.scheme and not parts.netloc and "\\" not in href and href.isprintable()
    return href.strip() if inside else ""

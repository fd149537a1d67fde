#!/usr/bin/env python3
"""Makes C source of the page's style, script and plotting library.

embed.py OUTPUT STYLE SCRIPT LIBRARY

A "</script" or "<!--" in a script would end it or change how it is read; in
JavaScript both can stand only in strings, regular expressions and comments,
where a backslash changes nothing. Digests are of what stands between the tags.
"""

import base64
import hashlib
import re
import sys


def harmless(text, tag):
    if tag == "style":
        assert "</" not in text, "a style cannot hold '</'"
        return text
    text = re.sub(r"<(/script)", r"<\\\1", text, flags=re.IGNORECASE)
    return text.replace("<!--", "<\\!--")


def main():
    output, *inputs = sys.argv[1:]
    with open(output, "w", encoding="ascii") as out:
        out.write('#include "report/assets.h"\n')
        for path, name, tag in zip(
            inputs,
            ("report_style", "report_script", "report_library"),
            ("style", "script", "script"),
        ):
            with open(path, encoding="utf-8", newline="") as f:
                text = f.read().replace("\r\n", "\n").replace("\r", "\n")
            data = harmless(text, tag).encode()
            digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
            out.write(f"static const unsigned char {name}_data[] = {{\n")
            for at in range(0, len(data), 64):
                out.write(",".join(str(b) for b in data[at : at + 64]) + ",\n")
            out.write("};\n")
            out.write(
                f"const struct report_asset {name} = {{{name}_data, "
                f'sizeof {name}_data, "{digest}"}};\n'
            )


main()

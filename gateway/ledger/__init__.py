"""RULE: entries, the Merkle tree and its checks. FORMAT.md says it byte for byte.

Reading order::

    entry.py       the closed list of kinds, each with exact fields: from entries_*.py,
                   which hold one subject each
    kinds.py       the closed lists of words in them
    line.py        what all kinds have in common
    values.py      what one value may look like, and what may never get in
    canonical.py   a value -> its only JSON bytes (RFC 8785)
    seal.py        an entry and its place -> body and leaf hash, and back
    merkle.py      leaf hashes -> frontier -> root (RFC 6962)
    sentence.py    an entry -> one plain sentence for an officer; sentence_sharing.py has
                   those on consents, agreements, switches and notices
    verify.py      all rows of a log -> what is wrong with it, and what is not proved

Nothing here knows a clock, a database, a network or chance: whoever calls hands those in.
"""

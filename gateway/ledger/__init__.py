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
    tiles.py       a tree -> the files of an export (C2SP tlog-tiles)
    proof.py       tiles -> proofs of inclusion and of growth, and their checks (RFC 9162)
    note.py        signed notes: keys, signatures, cosignatures (C2SP signed-note)
    checkpoint.py  a head -> a signed note; what a witness is asked (C2SP tlog-checkpoint)
    sentence.py    an entry -> one plain sentence for an officer; sentence_*.py by subject
    balp.py        an entry -> a FHIR AuditEvent, by balp_table.py (IHE BALP)
    verify.py      what was handed out -> what is wrong with it, and what is not proved: one
                   file for outsiders, which shares no code with the others

Nothing here knows a clock, a database, a network or chance: whoever calls hands those in.
"""

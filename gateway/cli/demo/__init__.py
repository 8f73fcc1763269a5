"""`gateway demo`: the whole gateway on one machine, with neighbours and sample referrals.

Reading order::

    run.py         the command: start, post, watch, show, check
    start.py       everything up: folder, keys, directory, processes; `Demo`, `start_demo`
    setting.py     who is in the demo: practices, providers, services, agreements
    clients.py     the practices' clients: keys, signed assertions, tokens, posting
    samples.py     the sample referrals, made from `samples/*.json`, and how each should end
    edits.py       what is done to a good message to make a sample of it
    acts.py        what a practice does beside: in the consent register, on an agreement
    watch.py       what became of each sample, asked from outside
    letters.py     a report that comes back, and the practice's inbox
    received.py    whether a provider got a form without one part, and with the rest
    show.py        progress, the table, demo.json
    processes.py   child processes that end with their parent
    child.py       what a child does so that it ends with its parent

    provider.py    a simulated neighbour as a process of its own: a FHIR server over TLS
    neighbour.py   its web application
    memory.py      what it remembers, durable before it answers
    behaviour.py   how it behaves: well, or in a way that a fault test asks for

    mesh_house.py  the NHS's own mesh-sandbox as a process, with practices behind it
    mesh_routing.py, mesh_control.py, mesh_config.py, mesh_setting.py, mesh_sandbox_parts.py
                   who is found by NHS number and birth date, what tests ask for, its settings
    practice_system.py
                   a practice's system: it collects, reads and answers
    practice_reading.py, practice_answer.py, practice_manners.py, practice_inbox.py
                   what it can read, says, refuses, and keeps

Nothing in the gateway imports this package but the command that starts it.
"""

"""COMMAND LINE: click commands; heavy imports inside each command."""

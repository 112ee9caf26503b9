"""Breaking the city on purpose, on three real machines, and telling whether it kept its promises.

`cases` is the table of everything that is done to it; `run` does one case under load and lets the history's checker judge;
`results` keeps what came of it. `machines`, `links` and `disks` are the tools; `city` sees and waits.
"""

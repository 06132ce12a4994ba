from ffnet.cli import entry

entry()

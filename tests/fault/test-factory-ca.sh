# The factory transaction with keys that the CA makes: every fault point of it, judged as in test-factory.sh.
KEY=ca
. "$TOP/tests/fault/test-factory.sh"

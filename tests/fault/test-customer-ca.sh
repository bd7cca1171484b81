# The customer transaction with keys that the CA makes (EST serverkeygen): every fault point of it, judged as in test-customer.sh.
KEY=ca
. "$TOP/tests/fault/test-customer.sh"

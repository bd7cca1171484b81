# The table of test-roles.sh once more, all of it under a common upper CA (H14), up to which each certificate shows its way: nothing
# may be different.
UNDER_UPPER=1
. "$TOP/tests/attack/test-roles.sh"

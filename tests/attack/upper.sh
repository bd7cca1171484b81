# upper.sh - factory and customer under one upper CA in $UPPER, whose fingerprint is $GROUP. Sourced, after lib.sh.
UPPER=$W/upper
quietly ca --dir "$UPPER" init --kind upper --name "Group" --key-passphrase none
GROUP=$(fingerprint "$UPPER/root.pem")

# under_upper FOLDER : its root is certified
under_upper() {
	ca --dir "$UPPER" root sign "$1/root.pem" --out "$1.cross.pem" &&
		ca --dir "$1" root install "$1.cross.pem" --root-fingerprint "$GROUP"
}
factory_init() {
	ca --dir "$W/factory" init --kind factory --id factory --name "$MANUFACTURER" --host 127.0.0.1 --listen 127.0.0.1:0 --key-passphrase none &&
		under_upper "$W/factory"
}
customer_init() {
	ca --dir "$W/customer" init --kind customer --id customer --name "Plant Seven" --host 127.0.0.1 --listen 127.0.0.1:0 --key-passphrase none &&
		under_upper "$W/customer"
}

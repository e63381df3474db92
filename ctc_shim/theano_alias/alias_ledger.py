"""What the alias changes elsewhere, entered here so that uninstalling takes it back."""

from ctc_shim.patching.ledger import Ledger

LEDGER = Ledger("theano_alias")

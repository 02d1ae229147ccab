"""Many economies as one: members, their interpolation, the parameters that become states."""

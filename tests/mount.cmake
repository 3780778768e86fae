# Locations: the proof of one (mounts a tmpfs where root may), and who waits for a hung one.
add_unit_test(mount common)
add_unit_test(mount_probe common)

/* Files embedded in envbuild; packer/module.mk knows what they depend on. */
	.macro embed name, path
	.global envbuild_\name, envbuild_\name\()_end
envbuild_\name:
	.incbin "\path"
envbuild_\name\()_end:
	.endm

	.section .rodata
	embed activate, packer/activate/activate.sh
	embed activate_csh, packer/activate/activate.csh
	embed activate_fish, packer/activate/activate.fish
	embed conda_unpack, CONDA_UNPACK
	embed deactivate, packer/activate/deactivate.sh
	embed deactivate_csh, packer/activate/deactivate.csh
	embed deactivate_fish, packer/activate/deactivate.fish
	.section .note.GNU-stack, "", @progbits

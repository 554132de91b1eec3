/* Files embedded in envbuild; their paths come from packer/module.mk. */
	.section .rodata
	.global envbuild_activate, envbuild_activate_end
envbuild_activate:
	.incbin ACTIVATE
envbuild_activate_end:
	.global envbuild_conda_unpack, envbuild_conda_unpack_end
envbuild_conda_unpack:
	.incbin CONDA_UNPACK
envbuild_conda_unpack_end:
	.global envbuild_deactivate, envbuild_deactivate_end
envbuild_deactivate:
	.incbin DEACTIVATE
envbuild_deactivate_end:
	.section .note.GNU-stack, "", @progbits

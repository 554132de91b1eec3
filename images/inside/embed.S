/* The first process of containers, embedded in envbuild; its path comes from images/module.mk. */
	.section .rodata
	.global envbuild_inside, envbuild_inside_end
envbuild_inside:
	.incbin INSIDE_INIT
envbuild_inside_end:
	.section .note.GNU-stack, "", @progbits

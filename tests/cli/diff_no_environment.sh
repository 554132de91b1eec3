mkdir a
echo "name: a" >environment.yml
"$ENVBUILD" diff a environment.yml

# Each command's help, and the list of commands, fit 80 columns and show an example.
list() { "$ENVBUILD" --help | sed -n 's/^  \([a-z]\{1,\}\( [a-z]\{1,\}\)\{0,1\}\)  .*/\1/p'; }
{
  "$ENVBUILD" --help
  list | while read -r command; do
    # shellcheck disable=SC2086  # "channel index" is two words
    "$ENVBUILD" $command --help >help.txt || echo "no help for $command"
    grep -q '^example:' help.txt || echo "no example in the help of $command"
    cat help.txt
  done
} >all.txt
awk 'length > 80 { print "too wide: " $0 }' all.txt
grep -E '^no (help|example)' all.txt
list | wc -l

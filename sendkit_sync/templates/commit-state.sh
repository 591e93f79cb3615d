set -eu
for file in sendkit.state.json sendkit.state.json.journal; do
  if [ -e "$file" ] || git ls-files --error-unmatch "$file" >/dev/null 2>&1; then
    git add -A -- "$file" || exit 1
  fi
done
if git diff --cached --quiet; then exit 0; fi
git -c user.name=sendkit-sync -c user.email=sendkit-sync@localhost commit --quiet -m "Record the webhooks [skip ci]" || exit 1
for _ in 1 2 3 4 5; do
  if git push --quiet origin "HEAD:$BRANCH"; then exit 0; fi
  git -c user.name=sendkit-sync -c user.email=sendkit-sync@localhost pull --quiet --rebase origin "$BRANCH"
done
echo "the state could not be pushed to $BRANCH" >&2
exit 1

set -euo pipefail
marker="<!-- sendkit-sync -->"
{ echo "$marker"; cat "$RUNNER_TEMP/plan.md"; } > "$RUNNER_TEMP/comment.md"
id=$(gh api --paginate "repos/$GITHUB_REPOSITORY/issues/$PULL_REQUEST/comments" |
  jq -r --arg marker "$marker" '.[] | select(.user.login == "github-actions[bot]" and (.body | startswith($marker))) | .id' |
  head -n 1)
if [ -n "$id" ]; then
  gh api --silent -X PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$id" -F "body=@$RUNNER_TEMP/comment.md"
else
  gh api --silent -X POST "repos/$GITHUB_REPOSITORY/issues/$PULL_REQUEST/comments" -F "body=@$RUNNER_TEMP/comment.md"
fi

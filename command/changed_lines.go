package command

import "strings"

// maxDiffLines is how many lines of a text are compared. Of a longer one all lines are changed.
const maxDiffLines = 2000

// changedLines returns the lines of a text that another takes the place of, and those of the other, in
// their order. They begin with "- " and "+ ".
func changedLines(was, is string) (lines []string) {
	from, to := strings.Split(was, "\n"), strings.Split(is, "\n")
	if was == "" {
		from = nil
	}
	if len(from) > maxDiffLines || len(to) > maxDiffLines {
		return append(prefixed("- ", from), prefixed("+ ", to)...)
	}
	// common[i][j] is how many lines the rest of from after i and that of to after j have in common.
	common := make([][]int, len(from)+1)
	for i := range common {
		common[i] = make([]int, len(to)+1)
	}
	for i := len(from) - 1; i >= 0; i-- {
		for j := len(to) - 1; j >= 0; j-- {
			if common[i][j] = max(common[i+1][j], common[i][j+1]); from[i] == to[j] {
				common[i][j] = common[i+1][j+1] + 1
			}
		}
	}
	i, j := 0, 0
	for i < len(from) && j < len(to) {
		switch {
		case from[i] == to[j]:
			i, j = i+1, j+1
		case common[i+1][j] >= common[i][j+1]:
			lines, i = append(lines, "- "+from[i]), i+1
		default:
			lines, j = append(lines, "+ "+to[j]), j+1
		}
	}
	return append(append(lines, prefixed("- ", from[i:])...), prefixed("+ ", to[j:])...)
}

func prefixed(prefix string, lines []string) []string {
	all := make([]string, len(lines))
	for i, line := range lines {
		all[i] = prefix + line
	}
	return all
}

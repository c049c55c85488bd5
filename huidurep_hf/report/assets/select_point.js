// A spike that is tapped selects its unit.
const chosen = cb_obj.indices
if (chosen.length > 0) {
  const unit = points.get_column("unit")[chosen[0]]
  if (unit >= 0) units.selected.indices = [unit]
  cb_obj.indices = []
}

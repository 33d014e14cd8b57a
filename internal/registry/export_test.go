package registry

// SetRegistry makes a session one of another Registry value, such as a copy with other keys.
func (s *Session) SetRegistry(r *Registry) { s.registry = r }

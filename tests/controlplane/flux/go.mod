// Nothing is built here: go.sum pins the modules whose manifests make up `flux install` of Flux 2.9.4.
module control-plane/flux

go 1.26.0

"""The performance suite behind `lab bench`: what the shipped packages do, in the three-machine lab, as files of figures."""
